"""Norms of tokens: complete, before the final normalisation, and showing an artefact that was put there."""

import numpy as np
import torch

from slimlab import analysis, data, evaluate
from slimlab.encoder import EncoderConfig


def encoder():
    return evaluate.random_encoder(EncoderConfig(width=32, depth=2, heads=2, frames=32, patch_frames=16)).eval()


def test_every_token_of_every_person_once_a_layer(synthetic):
    model, store = encoder(), synthetic[:20]
    table = analysis.token_norms(model, store, batch_size=7)
    people = int(store.column("people").sum())
    assert len(table) == 2 * people * (1 + 4 + 2 * 25)
    assert (table.groupby(["layer", "clip", "person", "kind"]).size().unstack()["cell"] == 50).all()
    x, there, _ = data.test_view(store, np.arange(20), 32)
    out = model(evaluate.prepare(x, model.config)[0], people=there, return_intermediates=True)
    clip, person = 13, 0
    wanted = out.intermediates[1].tokens[clip, person].norm(dim=-1).detach()
    mine = table[(table["layer"] == 1) & (table["clip"] == clip) & (table["person"] == person)]
    np.testing.assert_allclose(mine["norm"], wanted, rtol=1e-4)
    cells = mine[mine["kind"] == "cell"]
    assert cells["step"].tolist() == [0] * 25 + [1] * 25 and cells["joint"].tolist() == [*range(25)] * 2


def test_an_artefact_is_found_where_it_was_put(synthetic):
    model = encoder()
    with torch.no_grad():
        model.pos_embed[0, 1 + 7] *= 1000  # joint 7 shouts
    table = analysis.token_norms(model, synthetic[:4])
    first = table[(table["layer"] == 0) & (table["kind"] == "cell")]
    assert set(first.nlargest(8, "norm")["joint"]) == {7}
    assert first["norm"].max() > 3 * first["norm"].median()
