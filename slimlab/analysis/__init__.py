"""Looking inside: attention, token features, prototypes, projection, cost."""

from slimlab.analysis import cost, projection
from slimlab.analysis.agreement import Agreement, agreement
from slimlab.analysis.attention import (
    attention_distance,
    attention_distances,
    attention_map,
    hops,
    rollout,
    token_index,
    uniform_distance,
)
from slimlab.analysis.guessing import cells, guess, guess_errors
from slimlab.analysis.inside import Inside, inside
from slimlab.analysis.interventions import Intervention, Occlusion, ablate, hidden_units, intervene, occlude, patch, without
from slimlab.analysis.norms import token_norms
from slimlab.analysis.prototypes import Prototypes, prototypes, sinkhorn_stages
from slimlab.analysis.similarity import cka, cka_matrix, layer_features
from slimlab.analysis.timeline import Recording, changes, compare_with, peaks, read_recording, timeline
from slimlab.analysis.tokens import TokenPCA, token_pca, token_similarity
from slimlab.evaluate.rank import effective_prototypes, rankme, used_prototypes

__all__ = [
    "Agreement",
    "Inside",
    "Intervention",
    "Occlusion",
    "Prototypes",
    "Recording",
    "TokenPCA",
    "ablate",
    "agreement",
    "attention_distance",
    "attention_distances",
    "attention_map",
    "cells",
    "changes",
    "cka",
    "cka_matrix",
    "compare_with",
    "cost",
    "effective_prototypes",
    "guess",
    "guess_errors",
    "hidden_units",
    "hops",
    "inside",
    "intervene",
    "layer_features",
    "occlude",
    "patch",
    "peaks",
    "projection",
    "prototypes",
    "rankme",
    "read_recording",
    "rollout",
    "sinkhorn_stages",
    "timeline",
    "token_index",
    "token_norms",
    "token_pca",
    "token_similarity",
    "uniform_distance",
    "used_prototypes",
    "without",
]
