"""Tokens whose joint was not seen, in training: mask tokens for student and teacher, and no target."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from slimlab import evaluate, losses
from slimlab.baselines import mae
from slimlab.pretrain.trainer import Trainer
from tests.conftest import make_store


@pytest.fixture(scope="module")
def lacking(synthetic):
    return evaluate.corruption.missing_joints(synthetic, 0.3)


def test_the_losses_are_those_of_the_networks_with_unseen_tokens_masked(lacking, quick):
    trainer = Trainer(quick, lacking.skeleton)
    (piece,) = trainer.sample(lacking, np.arange(6), step=3)
    values = trainer.backward([piece], trainer.targets([piece], 0.05))
    student, teacher = trainer.student, trainer.teacher
    views, hidden, unseen, predicted = piece.views, piece.masks, piece.unseen, piece.predicted
    assert (
        predicted.any()
        and not (predicted & unseen).any()
        and (hidden[0] == (predicted | unseen))[predicted.any(dim=(1, 2))].all()
    )
    assert all(h is not None and h.any() and not h.all() for h in hidden) and (hidden[0] & unseen == unseen).all()
    with torch.no_grad():
        seen = teacher.encoder(views[0], mask=unseen[:, None])
        targets = losses.sinkhorn_knopp(teacher.cls_head(seen.cls[:, 0]), 0.05).chunk(2)
        out = [student.encoder(x, mask=h[:, None]) for x, h in zip(views, hidden, strict=True)]
        cls = [*out[0].cls[:, 0].chunk(2), *(c for o in out[1:] for c in o.cls[:, 0].split(6))]
        glcl = losses.global_local_loss([student.cls_head(c) for c in cls], targets)
        cells = losses.sinkhorn_knopp(teacher.token_head(seen.tokens[:, 0][predicted]), 0.05)
        mfp = losses.masked_feature_loss(student.token_head(out[0].tokens[:, 0][predicted]), cells, predicted)
    assert values["glcl"] == pytest.approx(glcl.item(), rel=1e-4)
    assert values["mfp"] == pytest.approx(mfp.item(), rel=1e-4)


@pytest.mark.parametrize("changes", [{}, {"mask_globals": 0.0}, {"mask_locals": True}], ids=["all", "without masks", "locals"])
def test_in_parts_it_is_the_same_step(lacking, quick, changes):
    found = []
    for microbatch in (None, 3):
        trainer = Trainer(replace(quick, microbatch=microbatch, **changes), lacking.skeleton)
        values = trainer.step(lacking, np.arange(8), 0)
        found.append((values, torch.cat([p.grad.flatten() for p in trainer.student.parameters() if p.grad is not None])))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-4)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-3, atol=1e-5)


def test_a_batch_in_which_all_was_seen_is_as_of_a_store_in_which_all_was(synthetic, quick):
    """Whether there are bits decides how a step is computed, not what comes out."""
    clips = [clip.joints for clip in synthetic[:9]]
    clips[8] = clips[8].copy()
    clips[8][:, :, 20] = 0
    values = []
    for store in (make_store(clips[:8]), make_store(clips)[:8]):
        torch.manual_seed(0)
        values.append(Trainer(quick, store.skeleton).step(store, np.arange(8), 0))
    assert values[0] == pytest.approx(values[1], rel=1e-5)


def test_the_mae_predicts_no_unseen_token(lacking):
    trainer = mae.Trainer(mae.Config(steps=1, batch_size=4), lacking.skeleton)
    x, unseen = trainer.views(lacking, np.arange(4), 0)
    mask = trainer.masks(x, 0)
    assert unseen.shape == mask.shape and unseen.any()
    error = (trainer.mae(x[..., 0], mask, unseen) - mae.motion_target(x[..., 0], 4)).square().mean(dim=-1)
    assert trainer.loss(x, mask, unseen).item() == pytest.approx(float(error[mask & ~unseen].mean()), rel=1e-5)
    with torch.no_grad():
        seen = torch.ones(8, 64, 25, 1, dtype=torch.bool)
        seen[0, :, 7] = False
        other = torch.where(seen[:, None], x, 99.0)
        assert torch.equal(trainer.encoder(x, seen=seen), trainer.encoder(other, seen=seen))
