"""Features that are easy to tell apart, but not quite."""

import numpy as np
import pandas as pd
import torch

from slimlab.evaluate import Features


def blobs(n: int, seed: int, classes: int = 4, width: int = 6, subjects: int = 0) -> Features:
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(9).normal(size=(classes, width)) * 1.5
    labels = rng.integers(classes, size=n)
    x = (centers[labels] + rng.normal(size=(n, width))).astype(np.float32)
    table = pd.DataFrame({"subject": np.arange(n) % subjects}) if subjects else None
    return Features(torch.from_numpy(x), torch.from_numpy(labels), table)
