"""Linear probe: multinomial logistic regression on frozen features (scikit-learn)."""

from __future__ import annotations

import warnings

import torch

from slimlab.evaluate.result import Result, labelled, score


def linear_probe(train, test, c: float = 1.0, iterations: int = 1000) -> Result:
    """Standardise by the training side, fit L2-regularised logistic regression (strength 1/c), classify the test side.

    Takes two `Features`, or anything with x and labels. Nothing is chosen on the test side.
    Raises DataError where labels are missing or the training side has a single class.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from slimlab.data import DataError

    x, labels, queries, truth, classes = labelled(train, test)
    if len(labels.unique()) < 2:
        raise DataError("the training side has a single class; a probe needs two")
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=iterations))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            probe.fit(x.numpy(), labels.numpy())
        except ConvergenceWarning as warning:
            raise RuntimeError(f"linear_probe did not converge in {iterations} iterations; raise `iterations`") from warning
    return score(torch.from_numpy(probe.predict(queries.numpy())).long(), truth, classes)
