"""Frozen features and what they know: kNN, linear probe, and the controls every number needs."""

from slimlab.evaluate.controls import compare, random_encoder, raw_features
from slimlab.evaluate.features import Features, check_body, features, prepare
from slimlab.evaluate.knn import knn
from slimlab.evaluate.probe import linear_probe
from slimlab.evaluate.result import Result
from slimlab.evaluate.supervised import supervised

__all__ = [
    "Features",
    "Result",
    "check_body",
    "compare",
    "features",
    "knn",
    "linear_probe",
    "prepare",
    "random_encoder",
    "raw_features",
    "supervised",
]
