import numpy as np

from slimlab import data, plot


def test_every_clip_stands_in_every_panel(synthetic, tmp_path):
    found = data.report(synthetic[:30])
    fig = plot.report(found)
    odd = int((found.table["reasons"] != "").sum())
    for ax in fig.axes:
        both, marked = (np.array([patch.get_height() for patch in bars]) for bars in ax.containers)
        assert both.sum() == 30 - odd and marked.sum() == odd
    plot.save(fig, tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").stat().st_size > 1000 and (tmp_path / "report.csv").exists()
