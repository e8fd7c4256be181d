"""Linear probe on frozen features: scikit-learn's logistic regression, or the paper's grid."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slimlab.data import DataError
from slimlab.evaluate.features import Features
from slimlab.evaluate.grid import FeatureSpec
from slimlab.evaluate.linear import fit_and_choose
from slimlab.evaluate.protocol import Protocol, named
from slimlab.evaluate.result import Result, labelled, score

ITERATIONS = 1000  # of the logistic regression, at most


class NotConverged(RuntimeError):
    """The logistic regression did not converge in its iterations."""


def linear_probe(
    train,
    test,
    c: float = 1.0,
    iterations: int = ITERATIONS,
    protocol: str | Protocol = "default",
    seed: int = 0,
    **changes: Any,
) -> Result:
    """Fit a linear classifier on the training features, classify the test features; two `Features`, or anything with x, labels.

    protocol  "default": standardise by the training side, L2-regularised logistic regression (strength 1/c, at most
              `iterations`); nothing is chosen. "slim": the paper's 13 learning rates by SGD on these features as they are,
              without new views (`evaluate.run(…, "slim-linear")` draws them), the best on held-out training subjects.
              Or a `Protocol`, of which `changes` change fields: linear_probe(…, protocol="slim", steps=2000)
    Raises DataError where labels are missing, a feature is not finite or the training side has a single class, ValueError
    for an unknown protocol, NotConverged (a RuntimeError) where the iterations are too few.
    """
    settings = named("slim-linear-cached" if protocol == "slim" else protocol, **changes)
    if settings.per_class is not None or settings.fraction is not None:
        raise ValueError("linear_probe trains on all features it is given; choose rows with `few_labels`, or use evaluate.run")
    x, labels, queries, truth, classes = labelled(train, test)
    if len(labels.unique()) < 2:
        raise DataError("the training side has a single class; a probe needs two")
    if settings.classifier == "grid":
        fitted_on, tested_on = Features(x, labels, getattr(train, "table", None)), Features(queries, truth, None)  # pyright: ignore
        spec, rng = FeatureSpec(1, "as they are", torch.arange(x.shape[1])), torch.Generator().manual_seed(seed)
        return fit_and_choose(lambda clips: x[clips], [spec], fitted_on, tested_on, settings, rng, seed)[0].result
    if settings.classifier != "logistic":
        raise ValueError(f"linear_probe: classifier '{settings.classifier}' is no linear probe; use evaluate.run")
    probe = fit_logistic(x, labels, c=c, iterations=iterations)
    known = torch.from_numpy(probe.classes_).long()
    scores = torch.full((len(queries), classes), -torch.inf)  # classes that were not trained on
    with np.errstate(divide="ignore"):  # a class that is out of the question: log 0
        scores[:, known] = torch.from_numpy(probe.predict_log_proba(queries.numpy())).float()
    return score(torch.from_numpy(probe.predict(queries.numpy())).long(), truth, classes, scores=scores)


def fit_logistic(x: Tensor, labels: Tensor, *, c: float = 1.0, iterations: int = ITERATIONS) -> Any:
    """scikit-learn's pipeline, fitted on features (N, F) and labels (N,): standardise, then logistic regression.

    Raises NotConverged where the iterations are too few.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probe = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=iterations))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        warnings.filterwarnings("ignore", "The number of unique classes")  # as with one labelled clip a class
        try:
            probe.fit(x.numpy(), labels.numpy())
        except ConvergenceWarning as warning:
            raise NotConverged(
                f"the linear probe did not converge in {iterations} iterations; allow more by iterations={10 * iterations} "
                f"(command line: --iterations {10 * iterations})"
            ) from warning
    return probe
