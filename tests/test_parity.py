"""slimlab against `tests/reference.py` (naive, float64) and against lightly's losses, where the two can be compared."""

import sys
import types
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import slimlab
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.losses import RunningCenter, global_local_loss, koleo_loss, masked_feature_loss, sinkhorn_knopp
from slimlab.pretrain.config import Config
from slimlab.pretrain.trainer import Trainer
from slimlab.skeleton import KINECT_V2
from tests import reference


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The paper's encoder in the released layout, read back; every tensor, biases, norms and tokens too, far from its start."""
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(init_std=None))
    for name, p in encoder.named_parameters():
        p.data += (0.5 if "token" in name or "pos_embed" in name else 0.1) * torch.randn_like(p)
    folder = slimlab.save_encoder(encoder, tmp_path_factory.mktemp("weights") / "slim")
    (folder / "slimlab.json").unlink()
    return slimlab.load_encoder(folder)


@pytest.mark.parametrize("masked", [False, True], ids=["unmasked", "masked"])
@pytest.mark.parametrize("frames, people", [(64, 1), (32, 2), (16, 2), (8, 1)])
@torch.no_grad()
def test_the_encoder_of_the_paper(released, frames, masked, people):
    """CLS, registers and tokens to 1e-4 in float32, at the paper's size."""
    x = 0.5 * randn(1, 3, frames, 25, people, seed=frames)
    mask = torch.rand(1, people, frames // 8, 25, generator=torch.Generator().manual_seed(1)) < 0.7 if masked else None
    out = released(x, mask=mask)
    weights = {k: v.numpy() for k, v in released.state_dict().items()}
    for person in range(people):
        cls, registers, tokens = reference.encode(
            weights, x[0, ..., person], 8, None if mask is None else mask[0, person].numpy()
        )
        for ours, expected in ((out.cls, cls), (out.registers, registers), (out.tokens, tokens)):
            assert np.abs(expected).max() > 1  # nothing is compared with zeros
            np.testing.assert_allclose(ours[0, person].double(), expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_an_absent_second_person_changes_nothing(released):
    x, people = 0.5 * randn(2, 3, 16, 25, 2), torch.tensor([[True, False], [True, True]])
    both, there = released(x), released(x, people=people)
    torch.testing.assert_close(there.cls[people], both.cls[people], atol=1e-5, rtol=0)
    torch.testing.assert_close(there.tokens[people], both.tokens[people], atol=1e-5, rtol=0)


@pytest.mark.parametrize("local", [0, 3, 8])
def test_glcl(local):
    student = [randn(4, 10, seed=s) for s in range(2 + local)]
    teacher = [sinkhorn_knopp(randn(4, 10, seed=20 + s), 0.1) for s in range(2)]
    assert float(global_local_loss(student, teacher, 0.1)) == pytest.approx(reference.glcl(student, teacher, 0.1), rel=1e-5)


def test_mfp():
    mask = torch.rand(6, 4, 6, generator=torch.Generator().manual_seed(2)) < 0.4
    mask[2] = False  # a view without masked cells counts zero, and counts
    cells = int(mask.sum())
    student, teacher = randn(cells, 7), sinkhorn_knopp(randn(cells, 7, seed=1), 0.1)
    assert float(masked_feature_loss(student, teacher, mask, 0.1)) == pytest.approx(
        reference.mfp(student, teacher, mask, 0.1), rel=1e-5
    )


def test_koleo():
    assert float(koleo_loss(randn(7, 5))) == pytest.approx(reference.koleo(randn(7, 5)), rel=1e-4)


def test_running_center():
    """Batch after batch: targets use the center of the batches before, of which each counts 0.9 times less than the next."""
    running, center = RunningCenter(6), np.zeros(6)
    for s in range(5):
        logits = randn(8, 6, seed=s) + 2
        targets = running(logits, 0.07)
        expected, center = reference.centered(logits, center, 0.07)
        running.update()
        np.testing.assert_allclose(targets, expected, atol=1e-5)
        np.testing.assert_allclose(running.mean, center, rtol=1e-5)


@pytest.mark.parametrize("details", ["plain", "released"])
def test_schedules_of_the_paper(details):
    config = Config(preset="paper", details=details, width=32, depth=1, heads=2, prototypes=8, head_hidden=16, head_bottleneck=8)
    trainer = Trainer(config, KINECT_V2)
    for step in (0, 1249, 12_500, 24_998, 25_000, 37_500, 100_000, 187_499):
        ours, expected = trainer.schedule(step), reference.recipe(step, released=details == "released")
        for name, value in expected.items():
            assert ours[name] == pytest.approx(value, rel=1e-6), (name, step)


@pytest.mark.parametrize("details", ["plain", "released"])
def test_one_step_of_the_optimiser_by_hand(synthetic, details):
    """AdamW's first step: clipped per sub-network, decay on matrices and tokens alone (in the released details on the prototypes'
    norms, too), patch embedding at a fifth of the rate."""
    config = Config(
        preset="paper", details=details, steps=10, batch_size=8, width=32, depth=1, heads=2, prototypes=16, head_hidden=32
    )
    config = replace(config, head_bottleneck=16, gradient_clip=0.01, warmup=0.0, weight_decay=(0.5, 0.5), base_lr=0.1)
    trainer = Trainer(config, synthetic.skeleton)
    before = {name: p.detach().double().clone() for name, p in trainer.student.named_parameters()}
    trainer.step(synthetic, np.arange(8), 1)
    lr = trainer.schedule(1)["lr"]
    for network in ("encoder", "cls_head", "token_head"):  # each is clipped to 0.01 on its own
        gradients = torch.cat([p.grad.flatten() for n, p in trainer.student.named_parameters() if n.startswith(network)])
        assert float(gradients.norm()) == pytest.approx(0.01, rel=1e-3)
    decayed = 0
    for name, p in trainer.student.named_parameters():
        rate, g = lr * (0.2 if "patch_embed" in name else 1.0), p.grad.double()
        free = (
            name.endswith(("bias", ".norms") if details == "plain" else "bias")
            or ".norm1." in name
            or ".norm2." in name
            or ".norm." in name
        )
        decayed += not free
        expected = before[name] * (1 - (0.0 if free else rate * 0.5)) - rate * g / (g.abs() + 1e-8)
        torch.testing.assert_close(p.detach().double(), expected, atol=1e-6, rtol=1e-4, msg=name)
    assert {"encoder.cls_token", "encoder.pos_embed"} <= set(before) and decayed > 10


@pytest.fixture
def lightly(monkeypatch):
    """lightly's loss files alone: its packages import torchvision, which not every build of torch can load."""
    found = find_spec("lightly")
    if found is None:
        pytest.skip("needs lightly: pip install --no-deps lightly==1.6.0")
    root = Path(found.submodule_search_locations[0])
    for name in ("lightly", "lightly.loss", "lightly.models", "lightly.models.modules"):
        package = types.ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        monkeypatch.setitem(sys.modules, name, package)
    yield lambda name: import_module(f"lightly.loss.{name}")
    for name in [n for n in sys.modules if n.startswith("lightly")]:
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_sinkhorn_is_lightlys(lightly):
    logits = nn.functional.normalize(randn(24, 16), dim=1)
    expected = lightly("swav_loss").sinkhorn(logits.double(), iterations=3, epsilon=0.05)
    torch.testing.assert_close(sinkhorn_knopp(logits, 0.05).double(), expected, atol=1e-6, rtol=1e-4)


def test_koleo_is_lightlys(lightly):
    features = randn(32, 16)
    expected = lightly("koleo_loss").KoLeoLoss(eps=1e-6)(features.double())
    assert float(koleo_loss(features)) == pytest.approx(float(expected), rel=1e-4)


def test_glcl_with_a_running_center_is_lightlys_dino_loss(lightly):
    """Over three batches, so that the center counts."""
    loss, center = lightly("dino_loss").DINOLoss(12, teacher_temp=0.07, student_temp=0.1, center_momentum=0.9), RunningCenter(12)
    for batch in range(3):
        student = [randn(4, 12, seed=10 * batch + s) for s in range(5)]
        teacher = [randn(4, 12, seed=100 + 10 * batch + t) + 1 for t in range(2)]
        ours = global_local_loss(student, center(torch.cat(teacher), 0.07).chunk(2), 0.1)
        center.update()
        assert float(ours) == pytest.approx(float(loss(teacher, student, teacher_temp=0.07)), rel=1e-5)
    torch.testing.assert_close(center.mean, loss.center[0, 0])


def test_mfp_with_a_running_center_is_lightlys_ibot_loss(lightly):
    loss, center = (
        lightly("ibot_loss").IBOTPatchLoss(12, teacher_temp=0.07, student_temp=0.1, center_momentum=0.9),
        RunningCenter(12),
    )
    for batch in range(3):
        mask = torch.rand(6, 4, 5, generator=torch.Generator().manual_seed(batch)) < 0.5
        mask[1] = False
        cells = int(mask.sum())
        student, teacher = randn(cells, 12, seed=batch), randn(cells, 12, seed=50 + batch) + 1
        ours = masked_feature_loss(student, center(teacher, 0.07), mask, 0.1)
        center.update()
        assert float(ours) == pytest.approx(float(loss(teacher, student, mask, teacher_temp=0.07)), rel=1e-5)
