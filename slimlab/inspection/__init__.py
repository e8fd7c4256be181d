"""Looking inside: attention, token features, prototypes, feature rank. Tensors in, tensors out."""

from slimlab.inspection.agreement import Agreement, agreement
from slimlab.inspection.attention import (
    attention_distance,
    attention_distances,
    attention_map,
    hops,
    rollout,
    token_index,
    uniform_distance,
)
from slimlab.inspection.guessing import cells, guess, guess_errors
from slimlab.inspection.inside import Inside, inside
from slimlab.inspection.norms import token_norms
from slimlab.inspection.prototypes import Prototypes, prototypes, sinkhorn_stages
from slimlab.inspection.rank import effective_prototypes, rankme, used_prototypes
from slimlab.inspection.tokens import TokenPCA, token_pca, token_similarity

__all__ = [
    "Agreement",
    "Inside",
    "Prototypes",
    "TokenPCA",
    "agreement",
    "attention_distance",
    "attention_distances",
    "attention_map",
    "cells",
    "effective_prototypes",
    "guess",
    "guess_errors",
    "hops",
    "inside",
    "prototypes",
    "rankme",
    "rollout",
    "sinkhorn_stages",
    "token_index",
    "token_norms",
    "token_pca",
    "token_similarity",
    "uniform_distance",
    "used_prototypes",
]
