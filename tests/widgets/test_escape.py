"""Text from data is text: no label or name becomes markup of the page."""

import numpy as np
import torch

from slimlab import widgets
from tests.conftest import make_store

TAG = "<img src=q onerror=alert(0)>"


def test_labels_and_names_of_a_store_are_escaped():
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=(20, 1, 25, 3)) for _ in range(8)]
    store = make_store(clips, label=[0, 1] * 4)
    store.label_names = (TAG, "b")
    store.table["label_name"] = [TAG, "b"] * 4
    explorer = widgets.EmbeddingExplorer(store, torch.randn(8, 16, generator=torch.Generator().manual_seed(0)))
    assert "<img" not in explorer.legend.value
    assert "&lt;img" in explorer.legend.value
