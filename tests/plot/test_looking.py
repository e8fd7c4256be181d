"""Figures of what is inside: the numbers they show and leave beside them."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from slimlab import analysis, plot
from slimlab.analysis import Prototypes
from slimlab.encoder import EncoderConfig
from slimlab.evaluate import random_encoder
from slimlab.plot.results import quality_line
from slimlab.plot.style import HIT, MISS


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert plt.get_fignums() == []


@pytest.fixture(scope="module")
def look(synthetic):
    encoder = random_encoder(EncoderConfig(width=32, depth=2, heads=2, frames=32, init_std=None))
    mask = torch.zeros(4, 25, dtype=torch.bool)
    mask[1, 5:9] = True
    return analysis.inside(encoder, synthetic, 5, mask)


def test_attention_in_percent_with_its_query_and_mask(look):
    figure = plot.attention(look, query=(2, 7), layer=0, head=1)
    row = 100 * look.attention[0, 0, 1, 5 + 2 * 25 + 7, 5:].numpy()
    np.testing.assert_allclose(figure.data["attention_percent"], row, rtol=1e-4)
    assert figure.data["joint"][7] == look.skeleton.names[7] and figure.data["step"].tolist()[24:26] == [0, 1]
    grid = figure.axes[4]
    order = [j for part in look.skeleton.parts.values() for j in part]
    np.testing.assert_allclose(grid.images[0].get_array(), row.reshape(4, 25)[:, order].T, rtol=1e-4)
    assert len(grid.collections[0].get_offsets()) == 4  # crosses on the masked cells
    assert "left_hand at step 2 at layer 1, head 2" in figure.get_suptitle() and "masked, 4%" in figure.get_suptitle()
    rolled = plot.attention(look, rolled=True).data["attention_percent"]
    np.testing.assert_allclose(rolled, 100 * analysis.rollout(look.attention[:, 0])[-1][0, 5:], rtol=1e-4)


def test_every_head_stands_in_the_gallery(look):
    figure = plot.attention_heads(look, query="register 1")
    assert len(figure.axes) == 4 and len(figure.data) == 4 * 100
    own = figure.data.query("layer == 2 and head == 1")["attention"]
    np.testing.assert_allclose(own, look.attention[1, 0, 0, 2, 5:], rtol=1e-5)


def test_token_colours_and_likeness(look):
    pca = analysis.token_pca(look.tokens[-1])
    figure = plot.token_pca(look)
    np.testing.assert_allclose(figure.data["component_2"], pca.scores(look.tokens[-1, 0])[..., 1].flatten(), atol=1e-4)
    drawn = {matplotlib.colors.to_hex(line.get_color()) for line in figure.axes[0].lines}
    assert matplotlib.colors.to_hex(pca.colours(look.tokens[-1, 0])[0, 3].numpy()) in drawn  # the head's bone
    likeness = plot.token_similarity(look, 1, 3, layer=0).data
    assert likeness["cosine"].idxmax() == 28 and likeness["cosine"].max() == pytest.approx(1, abs=1e-5)


def test_tokens_walk_through_time_in_the_plane_of_their_components(look):
    pca = analysis.token_pca(look.tokens[-1])
    figure = plot.token_paths(look, joints=[3, 11])
    xy = pca.scores(look.tokens[-1, 0])[..., :2].numpy()  # (T', V, 2)
    for line, joint in zip(figure.axes[0].lines, (3, 11), strict=True):
        np.testing.assert_allclose(line.get_xydata(), xy[:, joint], atol=1e-4)
    np.testing.assert_allclose(figure.data["component_2"], xy[..., 1].flatten(), atol=1e-4)
    assert len(plot.token_paths(look).axes[0].lines) == len(look.skeleton.parts)  # the end of every part


def test_distances_have_their_control(look, synthetic):
    encoder = random_encoder(EncoderConfig(width=32, depth=2, heads=2, frames=32, init_std=None))
    table = analysis.attention_distances(encoder, synthetic[:3])
    figure = plot.attention_distance(table, synthetic.skeleton, 4)
    even = analysis.uniform_distance(synthetic.skeleton, 4)
    for ax, control in zip(figure.axes, even, strict=True):
        assert any(np.allclose(line.get_ydata(), control) for line in ax.lines)
    assert figure.data["layer"].min() == 1


def test_prototypes_most_used_first():
    directions = torch.eye(4)
    made = Prototypes(None, directions[[2, 2, 2, 0]], directions)
    figure = plot.prototype_usage(made)
    assert figure.data["prototype"].tolist()[:2] == [2, 0] and figure.data["share"].tolist()[:2] == [0.75, 0.25]
    assert "2 of 4 prototypes" in figure.get_suptitle()


def test_neighbours_are_marked_hit_or_miss(synthetic):
    same = np.flatnonzero(synthetic.labels == synthetic.labels[0])
    other = int(np.flatnonzero(synthetic.labels != synthetic.labels[0])[0])
    figure = plot.neighbours(synthetic, 0, synthetic, [int(same[1]), other], frames=3)
    colours = [matplotlib.colors.to_hex(figure.axes[3 * row].texts[0].get_color()).upper() for row in range(1, 3)]
    assert colours == [HIT, MISS]
    assert figure.data["hit"].tolist() == ["", True, False]


def test_quality_in_words():
    assert quality_line({}) == ""
    text = quality_line({"label_agreement": 0.5, "of_features": 0.7, "of_chance": 0.05})
    assert "0.50 (features 0.70, shuffled 0.05)" in text
