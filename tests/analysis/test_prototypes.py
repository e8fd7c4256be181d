import numpy as np
import pytest
import torch

from slimlab import analysis, data
from slimlab.encoder import EncoderConfig
from slimlab.evaluate import prepare, random_encoder
from slimlab.losses import PrototypeHead, sinkhorn_knopp


@pytest.fixture(scope="module")
def parts(synthetic):
    encoder = random_encoder(EncoderConfig(width=32, depth=1, heads=2, init_std=None))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = PrototypeHead(32, prototypes=12, hidden=16, bottleneck=8, init_std=None)
    two = int(np.flatnonzero(synthetic.column("people") == 2)[0])
    return encoder, head, synthetic[[0, two, 5]]


def test_clips_and_cells_one_by_one(parts):
    encoder, head, store = parts
    clips = analysis.prototypes(encoder, head, store, batch_size=2)
    cells = analysis.prototypes(encoder, head, store, "cells", batch_size=2)
    assert len(clips) == 4 and len(cells) == 4 * 8 * 25
    for i in range(3):
        x, people, _ = data.test_view(store, [i])
        with torch.no_grad():
            out = encoder(prepare(x, encoder.config)[0], people=people)
            for person in people[0].nonzero().flatten().tolist():
                logits = head(out.cls[0, person])
                row = clips.table.query("clip == @i and person == @person").index
                assert len(row) == 1
                np.testing.assert_allclose(clips.embedding[row[0]] @ clips.directions.T, logits, atol=1e-5)
                row = cells.table.query("clip == @i and person == @person and step == 3 and joint == 7").index
                logits = head(out.tokens[0, person, 3, 7])
                np.testing.assert_allclose(cells.embedding[row[0]] @ cells.directions.T, logits, atol=1e-5)


def test_usage_assignments_and_the_closest(parts):
    encoder, head, store = parts
    cells = analysis.prototypes(encoder, head, store, "cells")
    logits = cells.embedding @ cells.directions.T
    counts = np.bincount(logits.argmax(dim=1), minlength=12)
    np.testing.assert_allclose(cells.usage(), counts / counts.sum(), atol=1e-6)
    p = counts[counts > 0] / counts.sum()
    assert cells.in_use() == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-5)
    np.testing.assert_allclose(cells.assignments([5, 6, 7], 0.1), sinkhorn_knopp(logits[5:8], 0.1), atol=1e-6)
    every = cells.closest(3, k=4, one_per_clip=False)
    np.testing.assert_allclose(every["logit"], logits[:, 3].sort(descending=True).values[:4], rtol=1e-6)
    each = cells.closest(3, k=9)
    assert sorted(each["clip"]) == [0, 1, 2] and each["logit"].is_monotonic_decreasing
    assert each["logit"][0] == every["logit"][0]


def test_what_is_not_there_is_named(parts):
    encoder, head, store = parts
    with pytest.raises(ValueError, match="choose clips or cells"):
        analysis.prototypes(encoder, head, store, "frames")
    with pytest.raises(ValueError, match=r"none of the 12; give 0\.\.11"):
        analysis.prototypes(encoder, head, store).closest(12)
