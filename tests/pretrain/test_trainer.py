"""One step of pre-training: what it draws, what it computes, on every body."""

import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from slimlab import augment, losses
from slimlab.pretrain import fit, gradcache
from slimlab.pretrain.config import PREPRINT_VIEWS, Config
from slimlab.pretrain.sampling import clips_of_step, generator
from slimlab.pretrain.trainer import Trainer
from slimlab.skeleton import COCO, H36M, HAND_21, HAND_22, KINECT_V1, KINECT_V2, Skeleton
from tests.conftest import make_store


def test_every_clip_comes_once_an_epoch():
    drawn = np.concatenate([clips_of_step(10, 4, 0, s) for s in range(10)])
    for epoch in range(4):
        assert sorted(drawn[epoch * 10 : (epoch + 1) * 10]) == list(range(10))
    assert not np.array_equal(drawn[:10], drawn[10:20])
    np.testing.assert_array_equal(clips_of_step(10, 4, 0, 7), clips_of_step(10, 4, 0, 7))
    assert len(clips_of_step(3, 8, 0, 0)) == 8  # a batch larger than the store takes clips again


def test_streams_are_independent():
    values = {float(torch.rand(1, generator=generator(*a))) for a in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (0, 1, 3)]}
    assert len(values) == 4


def test_a_step_is_a_function_of_seed_and_step(synthetic, quick):
    def weights(steps, config=quick):
        trainer = Trainer(config, synthetic.skeleton)
        for s in steps:
            trainer.step(synthetic, clips_of_step(len(synthetic), 8, config.seed, s), s)
        return torch.cat([p.flatten() for p in trainer.student.parameters()])

    assert torch.equal(weights([0, 1]), weights([0, 1]))
    assert not torch.equal(weights([0, 1]), weights([0, 2]))
    assert not torch.equal(weights([0]), weights([0], replace(quick, seed=1)))


@pytest.mark.parametrize("body", [KINECT_V1, H36M, COCO], ids=lambda b: str(len(b)))
def test_every_body_trains(body, quick):
    rng = np.random.default_rng(0)
    store = make_store([rng.normal(size=(t, 1, len(body), 3)).astype(np.float32) for t in (1, 5, 40, 200)], body)
    values = Trainer(quick, body).step(store, np.array([0, 1, 2, 3]), 0)
    assert all(math.isfinite(v) for v in values.values())


NAMELESS = Skeleton([f"marker {i}" for i in range(9)], [-1, 0, 1, 0, 3, 0, 5, 6, 0])


@pytest.mark.parametrize("body", [HAND_21, HAND_22, NAMELESS], ids=["21", "22", "nameless"])
def test_a_body_without_mirror_pairs_is_mirrored_whole_and_pretrains(body, quick, tmp_path):
    rng = np.random.default_rng(0)
    clips = [rng.normal(scale=0.1, size=(20 + t, 1, len(body), 3)).astype(np.float32) for t in range(6)]
    x = torch.from_numpy(clips[0]).permute(3, 0, 2, 1)[None]
    once = augment.mirror(x, body)
    torch.testing.assert_close(once[:, 1:], x[:, 1:])  # no joint takes another's place
    torch.testing.assert_close(augment.mirror(once, body), x)
    run = fit(
        make_store(clips, body), replace(quick, steps=3, batch_size=4, evaluations=1), folder=tmp_path / "run", progress=False
    )
    assert len(run.metrics) == 3 and np.isfinite(run.metrics["loss"]).all()


def test_motion_aware_masks_see_the_views_motion(synthetic, quick):
    config = replace(quick, masking="motion_aware", mask_ratio=0.1, mask_locals=True, augment_probability=0.0, noise=0.0)
    clip = np.tile(synthetic[0].joints[:1, :1], (40, 1, 1, 1))
    clip[:, 0, 3, 0] += 0.01 * np.arange(40)  # the head alone moves
    store = make_store([clip + np.float32(0.001 * i) for i in range(100)])
    [piece] = Trainer(config, store.skeleton).sample(store, np.arange(100), step=0)
    for mask in piece.masks:
        share = mask[mask.any(dim=(1, 2))].float().mean(dim=(0, 1))
        assert share.argmax() == 3 and share[3] > 1.5 * share.mean()  # ten seeds: 2.6 to 3.4; the next joint to 1.5


def test_local_views_may_have_masks_of_their_own(synthetic, quick):
    """The paper's table 5a: a strategy and a ratio for each branch."""
    clips, shared = np.arange(32), replace(quick, batch_size=32, mask_locals=True, local_views=((32, 1, (0.4, 0.8)),))
    [alike] = Trainer(shared, synthetic.skeleton).sample(synthetic, clips, step=0)
    apart = replace(shared, masking_locals="joint_tubes", mask_ratio_locals=0.2)
    [piece] = Trainer(apart, synthetic.skeleton).sample(synthetic, clips, step=0)
    assert piece.masks[0].equal(alike.masks[0])  # the global branch stays
    local = piece.masks[1]  # (2 * 32, T', V)
    assert (local.sum(dim=(1, 2)) == round(0.2 * local[0].numel())).all()
    whole = local.sum(dim=1)  # (64, V): a joint is hidden all the time, one at most in part
    assert (((whole > 0) & (whole < local.shape[1])).sum(dim=1) <= 1).all()
    [bare] = Trainer(replace(shared, mask_globals=0.0, mfp_weight=0.0), synthetic.skeleton).sample(synthetic, clips, step=0)
    assert bare.masks[0] is None and bare.masks[1] is not None


@pytest.mark.parametrize("changes", [{}, {"local_views": PREPRINT_VIEWS}], ids=["released", "preprint"])
def test_paper_settings_train_too(synthetic, changes):
    config = Config(
        preset="paper",
        batch_size=4,
        width=32,
        depth=1,
        heads=2,
        prototypes=256,
        head_hidden=64,
        head_bottleneck=256,
        steps=4,
        **changes,
    )
    trainer = Trainer(config, synthetic.skeleton)
    values = trainer.step(synthetic, np.arange(4), 0)
    assert values["glcl_over_lnk"] == pytest.approx(1, abs=0.1)  # nothing is known at the start
    assert values["mfp"] == pytest.approx(math.log(256) / 2, rel=0.1)  # half of the global views are masked, the others count 0


def test_the_losses_are_those_of_the_objectives(synthetic, quick):
    """Recomputed view by view from the networks' outputs."""
    trainer = Trainer(quick, synthetic.skeleton)
    pieces = trainer.sample(synthetic, np.arange(6), step=3)
    values = trainer.backward(pieces, trainer.targets(pieces, 0.05))
    views, masks = pieces[0].views, pieces[0].masks
    student, teacher = trainer.student, trainer.teacher
    assert masks[0] is not None and masks[0].any(dim=(1, 2)).sum() == round(0.5 * 12)
    with torch.no_grad():
        seen = teacher.encoder(views[0])
        targets = losses.sinkhorn_knopp(teacher.cls_head(seen.cls[:, 0]), 0.05).chunk(2)
        out = student.encoder(views[0], mask=masks[0][:, None])
        cls = [*out.cls[:, 0].chunk(2)]
        for view in views[1:]:
            cls += list(student.encoder(view).cls[:, 0].split(6))
        glcl = losses.global_local_loss([student.cls_head(c) for c in cls], targets)
        cells = losses.sinkhorn_knopp(teacher.token_head(seen.tokens[:, 0][masks[0]]), 0.05)
        mfp = losses.masked_feature_loss(student.token_head(out.tokens[:, 0][masks[0]]), cells, masks[0])
        koleo = losses.koleo_loss(cls[0]) + losses.koleo_loss(cls[1])
    total = quick.glcl_weight * glcl + quick.mfp_weight * mfp + quick.koleo_weight * koleo
    for name, value in (("glcl", glcl), ("mfp", mfp), ("koleo", koleo), ("loss", total)):
        assert values[name] == pytest.approx(value.item(), rel=1e-4), name


@pytest.mark.parametrize("changes", [{}, {"mfp_weight": 0.0}, {"mask_globals": 0.0}], ids=["all", "without MFP", "without masks"])
def test_large_views_one_after_the_other_give_the_same_step(synthetic, quick, monkeypatch, changes):
    found = []
    for large in (1 << 60, 0):
        monkeypatch.setattr(gradcache, "LARGE", large)
        trainer = Trainer(replace(quick, **changes), synthetic.skeleton)
        values = trainer.step(synthetic, np.arange(8), 0)
        found.append((values, torch.cat([p.grad.flatten() for p in trainer.student.parameters() if p.grad is not None])))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-3, atol=1e-5)


def test_losses_without_gradients_leave_none(synthetic, quick):
    trainer = Trainer(quick, synthetic.skeleton)
    pieces = trainer.sample(synthetic, np.arange(6), step=3)
    with torch.no_grad():
        without = trainer.backward(pieces, trainer.targets(pieces, 0.05))
    assert all(p.grad is None for p in trainer.student.parameters())
    values = trainer.backward(pieces, trainer.targets(pieces, 0.05))
    assert values == pytest.approx(without, rel=1e-5) and trainer.student.encoder.pos_embed.grad is not None


def test_bf16_follows_fp32(synthetic, quick):
    """The matrix products alone are in bfloat16: weights and losses are float32, loss and gradient nearly the same."""
    losses, gradients = [], []
    for precision in ("fp32", "bf16"):
        trainer = Trainer(replace(quick, precision=precision), synthetic.skeleton)
        losses.append(trainer.step(synthetic, np.arange(8), 0)["loss"])
        gradients.append(torch.cat([p.grad.flatten() for p in trainer.student.parameters()]))
        assert {p.dtype for p in trainer.student.parameters()} == {torch.float32}
    assert losses[0] != losses[1] and losses[0] == pytest.approx(losses[1], rel=1e-2)
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.98  # ten seeds: from 0.999; losses to 0.0009 apart


@pytest.mark.full
@pytest.mark.skipif(shutil.which("g++") is None and shutil.which("clang++") is None, reason="needs a C++ compiler")
def test_compiled_follows_eager(synthetic, quick):
    losses = []
    for compile in (False, True):
        trainer = Trainer(replace(quick, compile=compile), synthetic.skeleton)
        losses.append([trainer.step(synthetic, np.arange(8), s)["loss"] for s in range(3)])
        assert list(trainer.student.state_dict()) == list(Trainer(quick, synthetic.skeleton).student.state_dict())
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)


def test_schedules(quick):
    config = replace(quick, steps=1000, warmup=0.1, teacher_temperature=(0.04, 0.07), temperature_warmup=0.2, momentum=(0.9, 1.0))
    trainer = Trainer(config, KINECT_V1)
    at = [trainer.schedule(s) for s in (0, 49, 99, 200, 1000)]
    assert at[0]["lr"] == pytest.approx(config.lr / 100) and at[1]["lr"] == pytest.approx(config.lr / 2)
    assert at[2]["lr"] == pytest.approx(config.lr) and at[4]["lr"] == pytest.approx(config.min_lr)
    assert at[0]["temperature"] == 0.04 and at[3]["temperature"] == pytest.approx(0.07)
    assert at[0]["momentum"] == pytest.approx(0.9) and at[4]["momentum"] == pytest.approx(1.0)
    assert Config(preset="paper").lr == pytest.approx(2e-4 * (768 / 1024) ** 0.5)


def test_the_teacher_follows_by_momentum(synthetic, quick):
    trainer = Trainer(replace(quick, momentum=(0.9, 0.9)), synthetic.skeleton)
    before = [p.clone() for p in trainer.teacher.parameters()]
    trainer.step(synthetic, np.arange(8), 0)
    moved = 0.0
    for old, teacher, student in zip(before, trainer.teacher.parameters(), trainer.student.parameters(), strict=True):
        torch.testing.assert_close(teacher, 0.9 * old + 0.1 * student.detach())
        moved += float((teacher - old).abs().sum())
    assert moved > 0 and not any(p.requires_grad for p in trainer.teacher.parameters())


def test_prototypes_stand_still_while_frozen(synthetic, quick):
    trainer = Trainer(replace(quick, frozen_prototypes=0.5), synthetic.skeleton)
    heads = trainer.student.cls_head, trainer.student.token_head
    before = [h.prototypes.detach().clone() for h in heads]
    trainer.step(synthetic, np.arange(8), 0)
    assert all(torch.equal(h.prototypes, b) for h, b in zip(heads, before, strict=True))
    trainer.step(synthetic, np.arange(8), 6)
    assert not any(torch.equal(h.prototypes, b) for h, b in zip(heads, before, strict=True))


def test_the_released_details_of_prototypes(synthetic, quick):
    """Where they begin, that their norms decay, what a frozen step leaves behind. (Views: tests/data/test_views.py.)"""
    config = replace(quick, frozen_prototypes=0.5, details="released", weight_decay=(0.1, 0.1))
    trainer = Trainer(config, synthetic.skeleton)
    head = trainer.student.cls_head
    bound = config.head_bottleneck**-0.5
    assert 0.98 * bound < head.prototypes.abs().max() <= bound
    assert head.prototypes.detach().std() == pytest.approx(bound / 3**0.5, rel=0.1)  # uniform
    [own] = [g for g in trainer.optimizer.param_groups if g.get("prototypes")]
    assert own["decays"] and {id(p) for p in own["params"]} == {
        id(p) for h in (head, trainer.student.token_head) for p in (h.prototypes, h.norms)
    }
    before, norms = head.prototypes.clone(), head.norms.clone()
    trainer.step(synthetic, np.arange(8), 0)
    assert head.prototypes.equal(before) and head.norms.equal(norms)  # frozen
    assert trainer.optimizer.state[head.prototypes]["exp_avg"].abs().max() > 0  # but remembered
    trainer.step(synthetic, np.arange(8), config.steps - 1)
    assert not head.prototypes.equal(before)


def test_the_released_details_of_masks_and_warmup(synthetic, quick):
    config = replace(quick, details="released", mask_ratio=0.53, mask_globals=1.0, mask_locals=True, warmup=0.5)
    trainer, plain = (Trainer(replace(config, details=d), synthetic.skeleton) for d in ("released", "plain"))
    for mine, view in ((trainer, np.floor), (plain, np.round)):
        [piece] = mine.sample(synthetic, np.arange(8), step=0)
        for mask in piece.masks:
            assert set(mask.flatten(1).sum(dim=1).tolist()) == {int(view(0.53 * mask[0].numel()))}
    assert trainer.schedule(0)["lr"] == 0.0 < plain.schedule(0)["lr"] == trainer.schedule(1)["lr"]


def test_biases_and_norms_do_not_decay(quick):
    trainer = Trainer(quick, KINECT_V1)
    free = {id(p) for g in trainer.optimizer.param_groups if not g["decays"] for p in g["params"]}
    named = dict(trainer.student.named_parameters())
    assert all((id(p) in free) == (n.endswith(("bias", ".norms")) or ".norm" in n) for n, p in named.items())
    assert sum(len(g["params"]) for g in trainer.optimizer.param_groups) == len(named)


def test_nan_stops_with_its_name(synthetic, quick):
    trainer = Trainer(quick, synthetic.skeleton)
    trainer.student.token_head.prototypes.data[:] = float("nan")
    with pytest.raises(FloatingPointError, match=r"step 5: mfp is nan.*Try a smaller base_lr"):
        trainer.step(synthetic, np.arange(8), 5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_follows_the_cpu(synthetic, quick):
    losses = []
    for device in ("cpu", "cuda"):
        trainer = Trainer(quick, synthetic.skeleton, device=device)
        losses.append([trainer.step(synthetic, np.arange(8), s)["loss"] for s in range(3)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-2)


@pytest.mark.parametrize("changes", [{}, {"targets": "centering"}, {"mask_globals": 0.0, "mask_locals": True}])
@pytest.mark.parametrize("microbatch", [1, 3])
def test_parts_of_a_batch_add_up_to_the_whole(synthetic, quick, microbatch, changes):
    """In two passes: the same losses and gradients, though at most so many clips are in memory at once.

    Not the weights: where a gradient is rounding noise, Adam makes a whole step of its sign.
    """
    config = replace(quick, koleo_weight=0.1, **changes)
    results = []
    for size in (None, microbatch):
        trainer = Trainer(replace(config, microbatch=size), synthetic.skeleton)
        most = []
        trainer.student.encoder.patch_embed.register_forward_pre_hook(lambda _, x, most=most: most.append(len(x[0])))
        values = [trainer.step(synthetic, np.arange(8), 0)]
        gradients = {name: p.grad.clone() for name, p in trainer.student.named_parameters() if p.grad is not None}
        values.append(trainer.step(synthetic, np.arange(8), 1))
        results.append((values, gradients, max(most)))
    (whole, gradients, most), (parts, same, fewer) = results
    for a, b in zip(whole, parts, strict=True):
        assert a == pytest.approx(b, rel=2e-4)
    assert len(gradients) > 20
    for name, gradient in gradients.items():
        largest = float(gradient.abs().max())
        torch.testing.assert_close(same[name], gradient, rtol=1e-3, atol=1e-4 * largest, msg=lambda m, n=name: f"{n}: {m}")
    assert fewer == microbatch * 2 < most


def test_targets_without_balance_are_a_softmax_and_collapse(synthetic, quick):
    """Lesson 05's provoked collapse: one prototype for all; with Sinkhorn, from the same seed, many are used."""
    used = {}
    for targets in ("softmax", "sinkhorn"):
        config = replace(quick, targets=targets, koleo_weight=0.0, batch_size=16, steps=30)
        trainer = Trainer(config, synthetic.skeleton)
        logits = torch.randn(5, 16)
        if targets == "softmax":
            torch.testing.assert_close(trainer.assign("cls", logits, temperature=0.1), (logits / 0.1).softmax(dim=1))
        for s in range(30):
            values = trainer.step(synthetic, clips_of_step(len(synthetic), 16, config.seed, s), s)
        used[targets] = values["used_prototypes"]
    assert used["softmax"] < 2.5 and used["sinkhorn"] > 6  # ten seeds: 1.0 to 1.5 and 10.3 to 15.0


def test_a_mask_ratio_that_masks_nothing_is_refused(quick):
    with pytest.raises(ValueError, match=r"masks none of the 50 tokens of a global view; take at least 0\.02, or 0"):
        Trainer(replace(quick, mask_ratio=0.005), KINECT_V2)
    for ratio in (0.0, 0.02):
        Trainer(replace(quick, mask_ratio=ratio), KINECT_V2)


def test_a_ratio_of_local_views_that_masks_nothing_is_refused(quick):
    config = replace(quick, mask_locals=True, mask_ratio_locals=0.001)
    with pytest.raises(ValueError, match=r"mask_ratio_locals 0.001 masks none of the \d+ tokens of a local view"):
        Trainer(config, KINECT_V1)


def test_bfloat16_is_refused_where_the_device_lacks_it(quick, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    with pytest.raises(ValueError, match="precision 'bf16': this cuda device does not have bfloat16; take precision='fp32'"):
        Trainer(replace(quick, precision="bf16"), KINECT_V2, device="cuda")
