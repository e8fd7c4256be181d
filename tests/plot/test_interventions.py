"""Figures of occlusion and ablation hold the numbers that they are given."""

import matplotlib.pyplot as plt
import numpy as np

from slimlab import analysis, data, evaluate, plot
from slimlab.encoder import EncoderConfig

CONFIG = EncoderConfig(width=16, depth=1, heads=2, patch_frames=8, frames=16, init_std=None, centering="every_frame")


def test_bars_are_means_over_clips_and_crosses_their_control(synthetic):
    found = analysis.occlude(evaluate.random_encoder(CONFIG), synthetic, [1, 2, 3], "parts")
    figure = plot.occlusion(found)
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    np.testing.assert_allclose(widths, found.change.mean(dim=0), atol=1e-6)
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xdata(), found.control.mean(dim=0), atol=1e-6)
    many = plot.occlusion(analysis.occlude(evaluate.random_encoder(CONFIG), synthetic, [1], "tokens"))
    assert len(many.data) == 40 and plt.get_fignums() == []


def test_what_is_lost_stands_beside_the_untrained(synthetic):
    table = analysis.ablate(evaluate.random_encoder(CONFIG, 1), *data.split(synthetic, "cross-subject"), ["parts", "registers"])
    figure = plot.ablation(table)
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == [*synthetic.skeleton.parts, "all registers"]
    assert figure.data is table and len(figure.axes[0].get_legend().get_texts()) == 2
