"""Attention maps, distances and roll-out against loops over every cell."""

import numpy as np
import pytest
import torch

from slimlab import analysis, data, skeleton
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.evaluate import prepare, random_encoder
from tests.conftest import make_store

BODY = skeleton.Skeleton(names=["hip", "knee", "foot", "head"], parents=[-1, 0, 1, 0])
STEPS, REGISTERS = 3, 2
N = 1 + REGISTERS + STEPS * len(BODY)


@pytest.fixture
def attention():
    return torch.randn(2, 3, N, N, generator=torch.Generator().manual_seed(0)).softmax(dim=-1)


def test_hops_are_the_bones_between():
    assert analysis.hops(BODY).tolist() == [[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 3], [1, 2, 3, 0]]
    for body in (skeleton.KINECT_V2, skeleton.COCO):
        neighbours = np.zeros((len(body),) * 2, bool)
        for a, b in body.bones:
            neighbours[a, b] = neighbours[b, a] = True
        reached, distance = np.eye(len(body), dtype=bool), np.full((len(body),) * 2, -1)
        for length in range(len(body)):
            distance[reached & (distance < 0)] = length
            reached = reached | (reached @ neighbours)
        np.testing.assert_array_equal(analysis.hops(body).numpy(), distance)


def test_a_map_is_the_querys_row(attention):
    for query, row in (("cls", 0), ("register 1", 2), ((2, 1), 3 + 2 * 4 + 1)):
        got = analysis.attention_map(attention, query, STEPS, len(BODY))
        assert got.shape == (2, 3, STEPS, 4)
        for t in range(STEPS):
            for v in range(4):
                assert got[1, 2, t, v] == attention[1, 2, row, 1 + REGISTERS + t * 4 + v]


@pytest.mark.parametrize("query", ["register 2", "CLS", (3, 0), (0, 4), (-1, 0), 5])
def test_what_is_no_token_is_named(attention, query):
    with pytest.raises(ValueError, match="is no token; give cls, register 0"):
        analysis.attention_map(attention, query, STEPS, len(BODY))


def test_distances_by_hand(attention):
    got_hops, got_steps = analysis.attention_distance(attention, BODY, STEPS)
    hops = analysis.hops(BODY)
    a = attention[1, 2, -12:, -12:].double()
    along_body = along_time = 0.0
    for q in range(12):
        for k in range(12):
            weight = float(a[q, k] / a[q].sum()) / 12
            along_body += weight * int(hops[q % 4, k % 4])
            along_time += weight * abs(q // 4 - k // 4)
    assert float(got_hops[1, 2]) == pytest.approx(along_body, rel=1e-5)
    assert float(got_steps[1, 2]) == pytest.approx(along_time, rel=1e-5)
    even = analysis.attention_distance(torch.full((N, N), 1 / N), BODY, STEPS)
    assert [float(v) for v in even] == pytest.approx(analysis.uniform_distance(BODY, STEPS))
    own = analysis.attention_distance(torch.eye(N), BODY, STEPS)
    assert [float(v) for v in own] == [0, 0]


def test_rollout_follows_the_paths(attention):
    got = analysis.rollout(attention)
    first, second = ((a.mean(dim=0).double() + torch.eye(N)) / 2 for a in attention)
    np.testing.assert_allclose(got[0], first, atol=1e-6)
    np.testing.assert_allclose(got[1], second @ first, atol=1e-6)
    np.testing.assert_allclose(got.sum(dim=-1), 1, atol=1e-5)


def test_distances_of_a_set_are_the_mean_over_people(synthetic):
    encoder = random_encoder(EncoderConfig(width=32, depth=2, heads=2, init_std=None))
    two = int(np.flatnonzero(synthetic.column("people") == 2)[0])
    one = int(np.flatnonzero(synthetic.column("people") == 1)[0])
    store = synthetic[[one, two]]
    table = analysis.attention_distances(encoder, store, batch_size=1)
    looks = [analysis.inside(encoder, store, i) for i in range(2)]
    attention = torch.cat([look.attention for look in looks], dim=1)  # (L, 3 people, H, N, N)
    hops, steps = (v.mean(dim=1) for v in analysis.attention_distance(attention, store.skeleton, looks[0].steps))
    np.testing.assert_allclose(table["hops"], hops.flatten(), rtol=1e-4)
    np.testing.assert_allclose(table["steps"], steps.flatten(), rtol=1e-4)
    assert table[["layer", "head"]].to_numpy().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_inside_is_what_the_encoder_does(synthetic):
    encoder = random_encoder(EncoderConfig(width=32, depth=2, heads=2, init_std=None)).train()
    two = int(np.flatnonzero(synthetic.column("people") == 2)[0])
    mask = torch.zeros(8, 25, dtype=torch.bool)
    mask[2:5, 3:9] = True
    plain, masked = (analysis.inside(encoder, synthetic, two, m) for m in (None, mask))
    assert encoder.training
    assert plain.joints.shape == (64, 2, 25, 3) and plain.attention.shape == (2, 2, 2, 205, 205)
    assert (plain.layers, plain.heads, plain.steps, plain.registers, plain.patch_frames) == (2, 2, 8, 4, 8)
    x, people, _ = data.test_view(synthetic, [two])
    with torch.no_grad():
        out = encoder(prepare(x, encoder.config)[0], people=people, mask=mask)
    np.testing.assert_allclose(masked.tokens[-1], out.tokens[0], atol=1e-5)
    assert not np.allclose(plain.tokens[-1], masked.tokens[-1], atol=1e-3)
    np.testing.assert_allclose(plain.attention.sum(dim=-1), 1, atol=1e-5)
    np.testing.assert_array_equal(plain.joints[:, 0].permute(2, 0, 1), x[0, ..., 0])


def test_nobody_and_another_body_are_refused(synthetic):
    empty = make_store([synthetic[0].joints, np.zeros((5, 1, 25, 3), np.float32)])
    encoder = Encoder(EncoderConfig(width=32, depth=1, heads=2))
    with pytest.raises(ValueError, match="'clip1' has nobody in it"):
        analysis.inside(encoder, empty, 1)
    for look in (lambda e: analysis.inside(e, synthetic, 0), lambda e: analysis.attention_distances(e, synthetic)):
        with pytest.raises(ValueError, match="load it with skeleton"):
            look(Encoder(EncoderConfig(skeleton=skeleton.COCO, width=32, depth=1, heads=2)))
