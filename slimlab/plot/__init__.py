"""Figures for paper (matplotlib) and screen (plotly). Every function returns a figure; `save` writes one of paper."""

from slimlab import _extras

_extras.require("plot", "figures", "matplotlib", "plotly")

from slimlab.plot.anatomy import anatomy
from slimlab.plot.animation import animate
from slimlab.plot.augmentations import augmented
from slimlab.plot.body import frames_strip, mask_on_body
from slimlab.plot.curves import label_curve, robustness
from slimlab.plot.dataset import report
from slimlab.plot.gallery import gallery
from slimlab.plot.interventions import ablation, occlusion
from slimlab.plot.invariants import invariants
from slimlab.plot.learning import assignments, runs, schedules
from slimlab.plot.looking import (
    attention,
    attention_distance,
    attention_heads,
    token_norms,
    token_paths,
    token_pca,
    token_similarity,
)
from slimlab.plot.many_masks import asked_achieved, guess_errors, guess_maps, mask_frequency, mask_growth, mask_runs
from slimlab.plot.masks import Masking, draw_mask, mask_gallery, mask_grid, mask_table, run_lengths, tube_colors
from slimlab.plot.method import method
from slimlab.plot.moving import agreement_bodies, attention_bodies, masked_bodies, occlusion_bodies
from slimlab.plot.planes import planes
from slimlab.plot.player import player
from slimlab.plot.poses import limb_lengths, limbs, poses, view_timeline
from slimlab.plot.prototypes import agreement, prototype_assignment, prototype_nearest, prototype_usage
from slimlab.plot.results import confusion, embedding, losses
from slimlab.plot.retrieval import neighbours
from slimlab.plot.scene import Bodies, bodies, by_side, shaded
from slimlab.plot.similarity import cka
from slimlab.plot.studies import paper_table, study
from slimlab.plot.style import save
from slimlab.plot.timeline import timeline
from slimlab.plot.tokens import asymmetry, patch_cuts, rotary, rotary_scores
from slimlab.plot.tracks import tracks
from slimlab.plot.training import training

__all__ = [
    "Bodies",
    "Masking",
    "ablation",
    "agreement",
    "agreement_bodies",
    "anatomy",
    "animate",
    "asked_achieved",
    "assignments",
    "asymmetry",
    "attention",
    "attention_bodies",
    "attention_distance",
    "attention_heads",
    "augmented",
    "bodies",
    "by_side",
    "cka",
    "confusion",
    "draw_mask",
    "embedding",
    "frames_strip",
    "gallery",
    "guess_errors",
    "guess_maps",
    "invariants",
    "label_curve",
    "limb_lengths",
    "limbs",
    "losses",
    "mask_frequency",
    "mask_gallery",
    "mask_grid",
    "mask_growth",
    "mask_on_body",
    "mask_runs",
    "mask_table",
    "masked_bodies",
    "method",
    "neighbours",
    "occlusion",
    "occlusion_bodies",
    "paper_table",
    "patch_cuts",
    "planes",
    "player",
    "poses",
    "prototype_assignment",
    "prototype_nearest",
    "prototype_usage",
    "report",
    "robustness",
    "rotary",
    "rotary_scores",
    "run_lengths",
    "runs",
    "save",
    "schedules",
    "shaded",
    "study",
    "timeline",
    "token_norms",
    "token_paths",
    "token_pca",
    "token_similarity",
    "tracks",
    "training",
    "tube_colors",
    "view_timeline",
]
