"""The explorer of interventions, driven from Python: what is hidden, pulled and taken out, and what becomes of it."""

import numpy as np
import pytest
import torch

from slimlab import analysis, data, evaluate, widgets
from slimlab.encoder import EncoderConfig

CONFIG = EncoderConfig(
    width=32, depth=2, heads=2, patch_frames=8, frames=32, init_std=None, centering="every_frame", input_scale=3.0
)


@pytest.fixture(scope="module")
def encoder():
    return evaluate.random_encoder(CONFIG, 1)


@pytest.fixture
def explorer(synthetic, encoder):
    return widgets.InterventionExplorer(synthetic, encoder, index=5)


def test_nothing_done_changes_nothing(explorer):
    assert explorer.result.change == pytest.approx(0, abs=1e-6) and explorer.neighbors[0] == explorer.neighbors[1] != 5
    assert "moved by 0.000" in explorer.note.value and "the same nearest clip" in explorer.note.value
    np.testing.assert_allclose(explorer.votes.sum(axis=1), 1, rtol=1e-6)  # float32
    assert explorer.code() == "analysis.intervene(encoder, store, 5)"


def test_clicks_hide_pull_and_take_out(explorer, synthetic, encoder):
    explorer.grid.clicked = {"panel": 0, "step": 1, "joint": 7, "count": 1}
    assert explorer.hidden == ((1, 7),) and explorer.grid.scene["crossed"] == [[[1, 7]]]
    mask = torch.zeros(4, 25, dtype=torch.bool)
    mask[1, 7] = True
    expected = analysis.intervene(encoder, synthetic, 5, hidden=mask)
    assert explorer.result.change == pytest.approx(expected.change, abs=1e-6) and expected.change > 0
    colors = np.frombuffer(explorer.stage.colors, np.uint8).reshape(3, -1, *explorer.stage.shape[2:], 3)
    assert (colors[0, 8:16, 0, 7] == 200).all() and not (colors[0, 0, 0, 7] == 200).all()
    explorer.grid.clicked = {"panel": 0, "step": 1, "joint": 7, "count": 2}
    assert explorer.hidden == ()
    explorer.network.clicked = {"panel": 0, "step": 1, "joint": 0, "count": 1}  # a table: (column, row) is (head, layer)
    assert explorer.heads == ((0, 1),)
    explorer.stage.clicked = {"clip": 0, "person": 0, "joint": 11, "frame": 3, "count": 1}
    explorer._axes[1].value = 30
    assert explorer.joint == 11 and explorer.pulled == {11: (0, 30, 0)}
    before, now = (analysis.intervene(encoder, synthetic, 5, **how) for how in ({}, {"pulled": {11: (0, 0.3, 0)}}))
    torch.testing.assert_close(now.joints[..., 11, 1], before.joints[..., 11, 1] + 0.3)
    both = analysis.intervene(encoder, synthetic, 5, pulled={11: (0, 0.3, 0)}, heads=[(0, 1)])
    assert explorer.result.change == pytest.approx(both.change, abs=1e-6) and both.change > now.change / 100
    explorer.pulled = {11: (5, 0, 7)}  # from Python: the sliders follow
    assert [axis.value for axis in explorer._axes] == [5, 0, 7]
    explorer.pulled = {11: (0, 30, 0)}
    assert "pulled={11: (0.0, 0.3, 0.0)}, heads=[(0, 1)]" in explorer.code()
    explorer._limb.value = "left arm"
    assert len(explorer.hidden) == 4 * 6
    explorer.reset()
    assert explorer.result.change == pytest.approx(0, abs=1e-6) and not explorer.hidden and explorer._axes[1].value == 0


def test_the_code_gives_what_is_on_the_screen(explorer, synthetic, encoder):
    explorer.hidden, explorer.registers = ((0, 3), (2, 9)), True
    given = {"analysis": analysis, "torch": torch, "encoder": encoder, "store": synthetic}
    *first, last = explorer.code().splitlines()
    exec("\n".join(first), given)
    assert eval(last, given).change == pytest.approx(explorer.result.change, abs=1e-6)


def test_neighbors_and_votes_are_those_of_another_gallery(synthetic, encoder):
    train, test = data.split(synthetic, "cross-subject")
    explorer = widgets.InterventionExplorer(test, encoder, gallery=train, index=3)
    known = evaluate.features(encoder, train)
    alike = torch.nn.functional.cosine_similarity(explorer.result.before[None], known.x)
    assert explorer.neighbors[0] == int(alike.argmax())
    top = alike.topk(20)
    weights = (top.values / 0.07).softmax(dim=0)
    expected = [float(weights[known.labels[top.indices] == c].sum()) for c in range(len(explorer.votes[0]))]
    np.testing.assert_allclose(explorer.votes[0], expected, atol=1e-6)
    assert explorer.figure().data["unit"].tolist() == list(test.skeleton.parts)


def test_what_is_not_there_is_named(explorer, synthetic, encoder):
    for name, value in (("hidden", ((4, 0),)), ("heads", ((2, 0),)), ("joint", 25), ("index", -1), ("pulled", {25: (0, 0, 1)})):
        with pytest.raises(ValueError, match=name.rstrip("s")):
            setattr(explorer, name, value)
    with pytest.raises(ValueError, match="no setting 'colour'"):
        widgets.InterventionExplorer(synthetic, encoder, colour="red")


def test_a_pull_that_is_none_is_refused_and_a_reset_is_one_look(explorer, monkeypatch):
    for by in ((float("nan"), 0, 0), ("a", 0, 0), (1, 2)):
        with pytest.raises(ValueError, match=r"pulled 3: .* three cm"):
            explorer.pulled = {3: by}
    assert explorer.pulled == {}
    explorer.hidden, explorer.pulled, explorer.heads, explorer.registers = ((0, 1),), {3: (9, 0, 0)}, ((0, 0),), True
    looks, intervene = [], analysis.intervene
    monkeypatch.setattr(analysis, "intervene", lambda *given, **how: looks.append(how) or intervene(*given, **how))
    explorer.reset()
    assert len(looks) == 1 and explorer.result.change == pytest.approx(0, abs=1e-6) and explorer._axes[0].value == 0


def test_clips_without_people_are_no_neighbors(synthetic, encoder):
    x = data.test_view(synthetic, [0, 1, 2, 3], 32)[0].numpy()
    x[[1, 2]] = 0
    explorer = widgets.InterventionExplorer(data.from_arrays(x, labels=[0, 1, 1, 2]), encoder)
    assert explorer.neighbors.tolist() == [3, 3] and explorer.votes[0].tolist() == [0, 0, 1]
