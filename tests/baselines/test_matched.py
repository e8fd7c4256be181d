"""Table 10's rows: SLiM to the bit with prototypes, and the losses at masked tokens as stated."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from slimlab import pretrain
from slimlab.baselines import matched
from slimlab.baselines.matched import PREDICTS, MatchedTrainer
from slimlab.pretrain.trainer import Trainer
from slimlab.study import sweep

SMALL = {"batch_size": 8, "steps": 4, "width": 16, "depth": 1, "heads": 2, "prototypes": 16, "head_hidden": 24}
SMALL |= {"head_bottleneck": 12, "patch_frames": 8, "decoder_depth": 2, "checkpoint_seconds": 0.0, "evaluations": 1}
CLIPS = np.arange(8)


def config(predicts: str, **changes) -> matched.Config:
    return matched.Config(preset="tiny", predicts=predicts, **SMALL | changes)


def slim() -> pretrain.Config:
    known = set(pretrain.Config().to_dict())
    return pretrain.Config(preset="tiny", **{k: v for k, v in SMALL.items() if k in known})


def test_prototypes_are_slim_to_the_bit(synthetic):
    ours, theirs = MatchedTrainer(config("prototypes"), synthetic.skeleton), Trainer(slim(), synthetic.skeleton)
    for step in range(3):
        assert ours.step(synthetic, CLIPS, step) == theirs.step(synthetic, CLIPS, step)
    for a, b in zip(ours.student.state_dict().items(), theirs.student.state_dict().items(), strict=True):
        assert a[0] == b[0] and torch.equal(a[1], b[1])


@pytest.mark.parametrize("predicts", PREDICTS[1:])
def test_the_loss_at_masked_tokens_is_the_stated_one(synthetic, predicts):
    """Token by token, from the student's and the teacher's own outputs; view by view a mean, then over all views."""
    trainer = MatchedTrainer(config(predicts), synthetic.skeleton)
    pieces = trainer.sample(synthetic, CLIPS, step=0)
    now = trainer.schedule(0)
    with torch.no_grad():
        mfp = trainer.backward(pieces, trainer.targets(pieces, now["temperature"]))["mfp"]
        [piece] = pieces
        x, mask, asked = piece.views[0], piece.masks[0], piece.predicted
        student = trainer.student.encoder(x, mask=mask[:, None]).tokens[:, 0]
        teacher = trainer.teacher.encoder(x).tokens[:, 0]
        decoded = trainer.student.decoder(student) if predicts == "coordinates" else None
        expected = 0.0
        for view in range(len(x)):
            errors = []
            for t, v in asked[view].nonzero().tolist():
                if predicts == "coordinates":
                    truth = x[view, :, 8 * t : 8 * t + 8, v, 0].T.flatten()  # frame by frame x, y, z
                    errors.append(float((decoded[view, t, v] - truth).square().mean()))
                    continue
                mine = trainer.student.token_head.embed(student[view, t, v][None])
                if predicts == "features, predictor":
                    mine = torch.nn.functional.normalize(trainer.student.predictor(mine), dim=-1)
                truth = trainer.teacher.token_head.embed(teacher[view, t, v][None])
                errors.append(float(2 - 2 * (mine * truth).sum()))
            expected += np.mean(errors) / len(x) if errors else 0.0
    assert mfp == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("predicts", PREDICTS)
def test_what_is_predicted_says_which_weights_learn(synthetic, predicts):
    trainer = MatchedTrainer(config(predicts, weight_decay=(0.0, 0.0)), synthetic.skeleton)
    before = {name: p.clone() for name, p in trainer.student.named_parameters()}
    assert all(set(trainer.step(synthetic, CLIPS, step)) >= {"loss", "glcl", "mfp", "koleo"} for step in range(2))
    still = {name.rpartition(".")[0] or name for name, p in trainer.student.named_parameters() if torch.equal(p, before[name])}
    head = {"token_head.mlp.0", "token_head.mlp.2", "token_head.mlp.4", "token_head"}
    assert still == {"prototypes": set(), "coordinates": head}.get(predicts, {"token_head"})
    beside = {"coordinates": {"decoder"}, "features, predictor": {"predictor"}}.get(predicts, set())
    assert {name for name, _ in trainer.student.named_children()} == {"encoder", "cls_head", "token_head", *beside}


@pytest.mark.parametrize("predicts", PREDICTS[1:])
def test_small_pieces_give_the_numbers_of_the_whole_batch(synthetic, predicts):
    whole, pieces = (MatchedTrainer(config(predicts, microbatch=m), synthetic.skeleton) for m in (None, 3))
    for step in range(2):
        a, b = (t.step(synthetic, CLIPS, step) for t in (whole, pieces))
        assert a == pytest.approx(b, rel=2e-4, abs=1e-5)
    for p, q in zip(whole.student.parameters(), pieces.student.parameters(), strict=True):
        torch.testing.assert_close(p, q, atol=1e-4, rtol=1e-3)


def test_a_run_resumes_to_its_numbers_and_is_no_run_of_slim(synthetic, tmp_path):
    settings = config("coordinates")
    whole = pretrain.fit(synthetic, settings, folder=tmp_path / "whole", progress=False, method=matched.METHOD)
    steps = pretrain.steps(synthetic, settings, folder=tmp_path / "cut", method=matched.METHOD)
    next(steps)
    steps.close()
    resumed = pretrain.fit(synthetic, settings, folder=tmp_path / "cut", progress=False, method=matched.METHOD)
    assert resumed.config == settings and resumed.metrics["mfp"].tolist() == whole.metrics["mfp"].tolist()
    assert all(torch.equal(a, b) for a, b in zip(resumed.encoder.parameters(), whole.encoder.parameters(), strict=True))
    with pytest.raises(pretrain.RunError, match="a run of the method 'matched'"):
        pretrain.Run(tmp_path / "cut")


def test_settings_are_slims_and_two_more():
    assert matched.Config(preset="paper").to_dict() == pretrain.PRESETS["paper"].to_dict() | {
        "predicts": "prototypes",
        "decoder_depth": 5,
    }
    for field, value in (("predicts", "motion"), ("decoder_depth", 0), ("mask_ratio", 2.0)):
        with pytest.raises(ValueError, match=field):
            matched.Config(**{field: value})


def test_a_sweep_trains_any_method(synthetic, tmp_path):
    how = {"seeds": 1, "folder": tmp_path, "progress": False, "method": matched.METHOD}
    table = sweep(synthetic, {"predicts": ["features", "coordinates"]}, base=replace(config("features"), steps=2), **how)
    assert table["predicts"].tolist() == ["features", "coordinates"] and set(table["method"]) == {"matched"}
    assert table["probe"].between(0, 1).all() and table["untrained_probe"].nunique() == 1
    again = sweep(synthetic, {"predicts": ["features", "coordinates"]}, base=replace(config("features"), steps=2), **how)
    assert again["run"].tolist() == table["run"].tolist()
