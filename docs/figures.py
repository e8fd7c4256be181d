"""Draws the pictures of README.md: python docs/figures.py (screenshots: SLIMLAB_SHOTS=folder pytest tests/widgets)"""

from pathlib import Path

import torch

import slimlab
from slimlab import analysis, data, masking, plot

HERE = Path(__file__).parent
store = data.synthetic(clips=24)
clip = store[1]
mask = masking.semantic_tubes(1, 8, store.skeleton, ratio=0.7, generator=torch.Generator().manual_seed(3))[0]
figure = plot.mask_on_body(clip, mask.numpy(), store.skeleton, title=f"'{store.label_names[clip.label]}' under semantic tubes")
figure.savefig(HERE / "mask.png", dpi=130, bbox_inches="tight")

look = analysis.inside(slimlab.pretrained("tiny"), data.synthetic(clips=66), 5)
plot.token_pca(look).savefig(HERE / "token_pca.png", dpi=110, bbox_inches="tight")
