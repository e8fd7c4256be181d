"""Draw the README's moving picture, the mask explorer: python docs/moving_picture.py

One synthetic clip under semantic tube masking at three ratios. Left: the moving body, one color a tube, grey where visible.
Middle: what the student sees. Right: the mask on the grid of time steps and joints. The masks are those of `slimlab.masking`.
"""

from pathlib import Path

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter

from slimlab import data, plot
from slimlab.plot.body import draw_body, stage, time_joint_grid
from slimlab.plot.scene import SIDES
from slimlab.plot.style import figure, styled

FILE = Path(__file__).with_name("mask_explorer.gif")
CLIP, FRAMES, PATCH, RATIOS, FPS = 1, 64, 8, (0.5, 0.7, 0.9), 12
GREY = (0.7, 0.7, 0.7)


@styled
def draw() -> Path:
    """Write the GIF beside this file; its path."""
    store = data.synthetic(clips=24)
    body = store.skeleton
    x, _, *_ = data.test_view(store, [CLIP], FRAMES)  # (1, 3, T, V, M)
    joints = x[0, ..., 0].permute(1, 2, 0).numpy()  # (T, V, 3)
    draws = [plot.draw_mask("semantic_tubes", body, FRAMES // PATCH, ratio, seed=3) for ratio in RATIOS]
    sides = np.array([SIDES[body.side(j)] for j in range(len(body))])
    fig, axes = figure(7.2, 3.7, 1, 3, width_ratios=[1, 1, 1.5])

    def show(number: int) -> list:
        drawn, frame = draws[number // (FRAMES // 2)], 2 * (number % (FRAMES // 2))
        step = frame // PATCH
        for ax in axes:
            ax.clear()
        stage(axes[:2], joints[None], np.ones((1, FRAMES), dtype=bool))
        tubes = plot.tube_colors(drawn.tubes[step]) / 255.0  # (V, 3)
        draw_body(axes[0], joints[frame], body, np.where(drawn.tubes[step][:, None] > 0, tubes, GREY), 16)
        seen = joints[frame] * ~drawn.mask[step][:, None]  # zeros: not drawn
        draw_body(axes[1], seen, body, sides, 16)
        axes[0].set_title("masked, one color a tube")
        axes[1].set_title("what the student sees")
        time_joint_grid(axes[2], plot.tube_colors(drawn.tubes), body)
        axes[2].axvspan(step - 0.5, step + 0.5, facecolor="none", edgecolor="black", linewidth=1.2)
        axes[2].set_title(f"mask ratio {drawn.ratio:.0%}: {int(drawn.mask.sum())} of {drawn.mask.size} tokens")
        return list(axes)

    movie = FuncAnimation(fig, show, frames=len(RATIOS) * FRAMES // 2, blit=False)
    movie.save(FILE, PillowWriter(fps=FPS), dpi=100)
    return FILE


if __name__ == "__main__":
    print(f"{draw()}: {FILE.stat().st_size / 1e6:.2f} MB")
