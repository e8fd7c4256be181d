"""Draw the README's moving picture and the video of docs/explorers.md: python docs/moving_picture.py

A real person (UI-PRMD). mask_explorer.gif: the body under a semantic tube mask, one color a tube, what the student sees of it,
and the mask on the grid of time and joints. student_teacher.mp4: how well the student of `small` predicts what its teacher sees.
"""

from pathlib import Path

import torch

from slimlab import analysis, data, plot
from slimlab.pretrain import pretrained_run
from slimlab.weights import on_body

HERE = Path(__file__).parent
CLIP, RATIO, SEED = 110, 0.7, 3


def draw() -> list[Path]:
    """Write the GIF and the MP4 beside this file; their paths."""
    store = data.ui_prmd()
    body, clip = store.skeleton, store[CLIP]
    mask = plot.draw_mask("semantic_tubes", body, ratio=RATIO, seed=SEED)
    masked = plot.masked_bodies(clip, mask, body, store.fps)
    run = pretrained_run()
    student, teacher = run.student, run.teacher
    student.encoder, teacher.encoder = on_body(student.encoder, body), on_body(teacher.encoder, body)
    found = analysis.agreement(student, teacher, store, CLIP, torch.tensor(mask.mask))
    rate = store.fps * len(found.joints) / len(clip.joints)  # the view's; it holds about the whole clip
    return [
        plot.animate(masked, HERE / "mask_explorer.gif", speed=0.6, grid=0),
        plot.animate(plot.agreement_bodies(found, rate), HERE / "student_teacher.mp4", fps=30, speed=0.6),
    ]


if __name__ == "__main__":
    for file in draw():
        print(f"{file}: {file.stat().st_size / 1e6:.2f} MB")
