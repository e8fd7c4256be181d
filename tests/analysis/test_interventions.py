"""Hiding and taking out: by hand on small encoders, with the controls that say what a change means."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from slimlab import analysis, data, evaluate
from slimlab.data import DataError
from slimlab.encoder import EncoderConfig, FeatureEncoder
from slimlab.skeleton import KINECT_V2

CONFIG = EncoderConfig(
    width=32, depth=2, heads=2, frames=32, patch_frames=8, init_std=None, centering="every_frame", input_scale=3.0
)


@pytest.fixture(scope="module")
def encoder():
    return evaluate.random_encoder(CONFIG, 1).eval()


def read(model, store, index, mask=None, pool="cls+mean"):
    """Features of one clip with the tokens of mask (T', V) hidden, by the encoder's own argument."""
    x, people, seen = evaluate.inputs(model, store, [index])
    out = model(x, mask=mask, people=people, seen=seen)
    cls, tokens = out.cls[0], out.tokens[0].mean(dim=(1, 2))
    return torch.cat([cls, tokens], dim=1).flatten().detach()


@pytest.mark.parametrize("by, count, tokens", [("joints", 25, 4), ("parts", 5, None), ("steps", 4, 25), ("tokens", 100, 1)])
def test_units_cover_the_grid_once(by, count, tokens):
    units = analysis.hidden_units(KINECT_V2, 4, by)
    masks = torch.stack(list(units.values()))
    assert len(units) == count and (masks.sum(dim=0) == 1).all() and masks.shape[1:] == (4, 25)
    if tokens:
        assert set(masks.flatten(1).sum(dim=1).tolist()) == {tokens}
    if by == "parts":
        assert {n: sorted(set(m.nonzero()[:, 1].tolist())) for n, m in units.items()} == {
            n: sorted(j) for n, j in KINECT_V2.parts.items()
        }


def test_hiding_is_the_encoders_own_mask(encoder, synthetic):
    """Change and neighbor of each clip by hand; two people in some of the clips."""
    clips = [3, 40, 77, 100, 128]
    found = analysis.occlude(encoder, synthetic, clips, "parts", batch_size=2)
    clean = torch.stack([read(encoder, synthetic, i) for i in clips])
    assert found.names == list(KINECT_V2.parts) and found.change.shape == found.control.shape == (5, 5)
    for u, mask in enumerate(found.hidden):
        hidden = torch.stack([read(encoder, synthetic, i, mask) for i in clips])
        torch.testing.assert_close(found.change[:, u], 1 - F.cosine_similarity(hidden, clean), atol=1e-4, rtol=1e-3)
        for n in range(5):
            others = [m for m in range(5) if m != n]
            nearest = [
                max(others, key=lambda m, q=q: float(F.cosine_similarity(q, clean[m], dim=0))) for q in (hidden[n], clean[n])
            ]
            assert bool(found.neighbor[n, u]) == (nearest[0] != nearest[1])
    table = found.table()
    assert table["tokens"].tolist() == [4 * len(j) for j in KINECT_V2.parts.values()] and "score" not in table
    again = analysis.occlude(encoder, synthetic, clips, "parts", score=lambda x: x[:, 0])
    torch.testing.assert_close(again.control, found.control, atol=1e-5, rtol=1e-4)
    hidden = torch.stack([read(encoder, synthetic, i, found.hidden[2]) for i in clips])
    torch.testing.assert_close(again.score[:, 2], hidden[:, 0] - clean[:, 0], atol=1e-4, rtol=1e-3)


def test_what_reaches_no_feature_changes_none(synthetic):
    """A norm that lets nothing through; and without blocks, CLS, which then knows of no joint."""
    model = analysis.without(evaluate.random_encoder(CONFIG, 1), layers=range(2))
    with torch.no_grad():
        model.norm.weight.zero_()
        model.norm.bias.fill_(1.0)
    still = analysis.occlude(model, synthetic, [0, 1], "joints")
    assert still.change.abs().max() < 1e-6  # nothing reaches the features
    model = analysis.without(evaluate.random_encoder(CONFIG, 1), layers=range(2))
    moved = analysis.occlude(model, synthetic, [0, 1], "joints", pool="cls")
    assert moved.change.abs().max() < 1e-6  # without attention CLS knows of no joint
    assert analysis.occlude(model, synthetic, [0, 1], "joints", pool="mean").change.min() > 0


def test_what_is_taken_out_is_out(encoder, synthetic):
    x, people, seen = evaluate.inputs(encoder, synthetic, [5, 60])
    clean = encoder(x, people=people, seen=seen, return_intermediates=True)
    cut = analysis.without(encoder, heads=[(0, 1)])
    block, size = encoder.blocks[0], 16
    sequence = encoder._embed(x.permute(0, 4, 1, 2, 3).flatten(0, 1), None)
    rotary = encoder._rotary_tables(4, 25, sequence)
    with torch.no_grad():
        normed = block.norm1(sequence)
        weights = block.attn(normed, rotary, True)[1]
        v = block.attn.qkv(normed)[..., 64:].unflatten(-1, (2, size))  # (P, N, heads, D/heads)
        own = weights[:, 0] @ v[:, :, 0]  # head 0 alone
        expected = own @ block.attn.proj.weight[:, :size].T + block.attn.proj.bias
        torch.testing.assert_close(cut.blocks[0].attn(normed, rotary, False)[0], expected, atol=1e-5, rtol=1e-4)
    skipped = analysis.without(encoder, layers=[1])(x, people=people, seen=seen, return_intermediates=True)
    torch.testing.assert_close(skipped.intermediates[1].tokens, skipped.intermediates[0].tokens)
    torch.testing.assert_close(skipped.intermediates[0].tokens, clean.intermediates[0].tokens)
    bare = analysis.without(encoder, registers=True)
    assert bare.config == replace(CONFIG, registers=0) and bare(x, people=people, seen=seen).registers.shape[2] == 0
    again = encoder(x, people=people, seen=seen, return_intermediates=True)
    assert torch.equal(again.cls, clean.cls)  # the encoder given is as it was
    with pytest.raises(ValueError, match=r"layer 2 is not there; this encoder has 0\.\.1"):
        analysis.without(encoder, layers=[2])
    with pytest.raises(ValueError, match=r"head -1 is not there"):
        analysis.without(encoder, heads=[(0, -1)])


def test_the_layers_behind_a_block_give_what_forward_gives(encoder, synthetic):
    x, *_ = evaluate.inputs(encoder, synthetic[synthetic.column("people") == 1], [5, 60])
    out = encoder(x[..., :1], return_intermediates="tokens")
    for block, after in enumerate(out.intermediates):
        torch.testing.assert_close(encoder.behind(after.tokens[:, 0], block, 4)[:, 0], out.cls[:, 0], atol=1e-5, rtol=1e-4)


def test_patching_moves_the_cls_token_to_the_source(encoder, synthetic):
    """Behind the last block nothing mixes, so CLS alone is all of it; before it, every unit recovers a part."""
    table = analysis.patch(encoder, synthetic, 3, 40, by="parts")
    assert set(table["layer"]) == {0, 1} and table["unit"].unique().tolist() == ["CLS", "registers", *KINECT_V2.parts]
    last = table[table["layer"] == 1].set_index("unit")["recovered"]
    assert (
        last["CLS"] == pytest.approx(1, abs=1e-4) and last.drop("CLS").abs().max() < 1e-4
    )  # behind the last block nothing mixes
    first = table[table["layer"] == 0].set_index("unit")["recovered"]
    assert first.drop("CLS").abs().max() > 1e-4
    encoder.train()
    for wrong in ({"target": 3}, {"target": 40, "by": "limbs"}):
        with pytest.raises(ValueError, match=r"have the same CLS token|by is 'limbs'"):
            analysis.patch(encoder, synthetic, 3, **wrong)
        assert encoder.training  # as it was, whatever happens
    encoder.eval()
    with pytest.raises(ValueError, match=r"joint 25 is not there; this body has 0\.\.24"):
        analysis.intervene(encoder, synthetic, 3, pulled={25: (0, 0, 1)})


def test_what_knn_loses(encoder, synthetic):
    train, test = data.split(synthetic, "cross-subject")
    table = analysis.ablate(encoder, train, test, ["parts", "layers", "registers"], untrained=False)
    assert table.groupby("by").size().to_dict() == {"parts": 5, "layers": 2, "registers": 1} and set(table["encoder"]) == {
        "given"
    }
    clean = evaluate.knn(*(evaluate.features(encoder, side) for side in (train, test))).accuracy
    np.testing.assert_allclose(table["accuracy"] + table["lost"], clean)
    assert (
        table.loc[table["by"] == "parts", "control"].notna().all() and table.loc[table["by"] != "parts", "control"].isna().all()
    )
    assert (table["low"] <= table["lost"] + 1e-9).all() and (table["lost"] <= table["high"] + 1e-9).all()
    cut = analysis.without(encoder, layers=[0])
    expected = evaluate.knn(*(evaluate.features(cut, side) for side in (train, test))).accuracy
    assert table.set_index("what").loc["layer 1", "accuracy"] == expected
    both = analysis.ablate(encoder, train, test, ["registers"])
    assert both["encoder"].tolist() == ["given", "untrained"]
    with pytest.raises(ValueError, match="'limbs' is unknown; choose among joints, parts"):
        analysis.ablate(encoder, train, test, ["limbs"])
    with pytest.raises(ValueError, match="by is 'limbs'"):
        analysis.hidden_units(KINECT_V2, 4, "limbs")


def test_a_clip_without_people_is_refused(encoder, synthetic):
    """Its features are zero, whose cosine distance from anything is 1."""
    x = data.test_view(synthetic, [3, 40], 32)[0].numpy()
    x[1] = 0
    store = data.from_arrays(x)
    with pytest.raises(DataError, match=r"clip_000001' has nobody in it \(1 such clips\)"):
        analysis.occlude(encoder, store, by="parts")
    there = store[store.column("people") > 0]  # the remedy
    torch.testing.assert_close(
        analysis.occlude(encoder, there, by="parts").change, analysis.occlude(encoder, store, [0], "parts").change
    )


@pytest.mark.parametrize(
    "given, message",
    [
        ({"pulled": {3: (float("nan"), 0, 0)}}, "joint 3 is moved by .* finite meters"),
        ({"pulled": {3: (1, 0)}}, "joint 3 is moved by .* finite meters"),
        ({"hidden": torch.ones(4, 25)}, r"hidden is torch.float32 \(4, 25\), should be bool"),
        ({"hidden": np.ones((4, 24), bool)}, r"hidden is torch.bool \(4, 24\), should be bool of shape"),
    ],
)
def test_moves_and_masks_that_are_none_are_refused(encoder, synthetic, given, message):
    with pytest.raises(ValueError, match=message):
        analysis.intervene(encoder, synthetic, 3, **given)


def test_a_mask_may_be_numpys(encoder, synthetic):
    mask = np.zeros((4, 25), bool)
    mask[1, 7] = True
    one, other = (analysis.intervene(encoder, synthetic, 3, hidden=m) for m in (mask, torch.from_numpy(mask)))
    assert one.change == other.change > 0


def test_an_encoder_without_blocks_can_be_asked_but_not_taken_apart(encoder, synthetic):
    """Such as one of an ONNX file."""

    class Closed(FeatureEncoder):
        has_cls = True

        def __init__(self):
            super().__init__()
            self.inner, self.config = encoder, encoder.config

        def forward(self, *given, **how):
            return self.inner(*given, **how)

        def features(self, *given, **how):
            return self.inner.features(*given, **how)

    closed, mask = Closed(), torch.zeros(4, 25, dtype=torch.bool)
    mask[1, 7] = True
    expected = analysis.intervene(encoder, synthetic, 3, hidden=mask)
    torch.testing.assert_close(analysis.intervene(closed, synthetic, 3, hidden=mask).after, expected.after)
    for act in (
        lambda: analysis.without(closed),
        lambda: analysis.intervene(closed, synthetic, 3, heads=[(0, 0)]),
        lambda: analysis.patch(closed, synthetic, 3, 40),
    ):
        with pytest.raises(TypeError, match=r"a Closed has no blocks to change .* slimlab\.encoder\.Encoder"):
            act()
