"""Draws the pictures of README.md: python docs/figures.py"""

from pathlib import Path

import torch

from slimlab import data, masking, plot

store = data.synthetic(clips=24)
clip = store[1]
mask = masking.semantic_tubes(1, 8, store.skeleton, ratio=0.7, generator=torch.Generator().manual_seed(3))[0]
figure = plot.mask_on_body(clip, mask.numpy(), store.skeleton, title=f"'{store.label_names[clip.label]}' under semantic tubes")
figure.savefig(Path(__file__).parent / "mask.png", dpi=130, bbox_inches="tight")
