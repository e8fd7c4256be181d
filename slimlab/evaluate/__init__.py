"""What features know: kNN, retrieval, linear probes, fine-tuning, by named protocols, and the controls every number needs."""

from slimlab.evaluate import corruption
from slimlab.evaluate.controls import compare, random_encoder, raw_features, readers
from slimlab.evaluate.curves import label_curve, one_labeled_subject, robustness
from slimlab.evaluate.features import (
    Features,
    Inputs,
    check_body,
    evaluating,
    features,
    inputs,
    inputs_of,
    prepare,
    to_input,
    weights_digest,
)
from slimlab.evaluate.finetune import finetune
from slimlab.evaluate.fusion import fuse
from slimlab.evaluate.knn import knn, knn_grid
from slimlab.evaluate.linear import linear_grid
from slimlab.evaluate.predictor import Live, Predictor, fit_predictor, load_predictor
from slimlab.evaluate.probe import NotConverged, linear_probe
from slimlab.evaluate.protocol import PROTOCOLS, SELECTIONS, Protocol
from slimlab.evaluate.provenance import provenance
from slimlab.evaluate.released_probes import Probe, load_probes, score_probe, score_probes
from slimlab.evaluate.result import Result
from slimlab.evaluate.retrieval import Retrieval, retrieval
from slimlab.evaluate.running import run
from slimlab.evaluate.statistics import (
    Interval,
    Paired,
    bootstrap_coverage,
    by_subject,
    mcnemar,
    over_seeds,
    over_subjects,
    paired,
    paired_seeds,
)
from slimlab.evaluate.subsets import few_labels
from slimlab.evaluate.supervised import supervised
from slimlab.evaluate.transfer import transfer

__all__ = [
    "PROTOCOLS",
    "SELECTIONS",
    "Features",
    "Inputs",
    "Interval",
    "Live",
    "NotConverged",
    "Paired",
    "Predictor",
    "Probe",
    "Protocol",
    "Result",
    "Retrieval",
    "bootstrap_coverage",
    "by_subject",
    "check_body",
    "compare",
    "corruption",
    "evaluating",
    "features",
    "few_labels",
    "finetune",
    "fit_predictor",
    "fuse",
    "inputs",
    "inputs_of",
    "knn",
    "knn_grid",
    "label_curve",
    "linear_grid",
    "linear_probe",
    "load_predictor",
    "load_probes",
    "mcnemar",
    "one_labeled_subject",
    "over_seeds",
    "over_subjects",
    "paired",
    "paired_seeds",
    "prepare",
    "provenance",
    "random_encoder",
    "raw_features",
    "readers",
    "retrieval",
    "robustness",
    "run",
    "score_probe",
    "score_probes",
    "supervised",
    "to_input",
    "transfer",
    "weights_digest",
]
