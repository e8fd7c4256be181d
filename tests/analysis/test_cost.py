"""Costs against counts by hand, and empty second bodies that cost nothing."""

import pytest
import torch

from slimlab.analysis import cost
from slimlab.baselines import mae
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.pretrain.config import Config
from slimlab.skeleton import KINECT_V1, KINECT_V2

SMALL = {"width": 32, "depth": 2, "heads": 4}


@pytest.fixture(scope="module", params=["slim", "mae"])
def encoder(request):
    torch.manual_seed(0)
    if request.param == "slim":
        return Encoder(EncoderConfig(frames=16, **SMALL)).eval()
    return mae.Encoder(mae.EncoderConfig(frames=16, **SMALL)).eval()


def product(rows, inner, columns):
    return 2 * rows * inner * columns


def by_hand(n, width, mlp):
    """One block: n tokens; qkv, scores, their sum, projection, MLP."""
    return product(n, width, 3 * width) + product(n, width, n) + product(n, n, width) + product(n, width, width) + mlp


def test_slim_by_hand():
    encoder = Encoder(EncoderConfig(skeleton=KINECT_V1, **SMALL))
    hidden, cells = encoder.config.hidden, 2 * 20
    n = cells + 1 + 4
    swiglu = product(n, 32, 2 * hidden) + product(n, hidden, 32)
    expected = product(cells, 3 * 8, 32) + 2 * by_hand(n, 32, swiglu)
    assert cost.flops(encoder, frames=16) == expected
    assert cost.flops(encoder, people=1.2, frames=16) == pytest.approx(1.2 * expected)
    assert cost.flops(encoder) > 4 * expected  # 64 frames: attention grows with the square


def test_mae_by_hand():
    masked = mae.MAE(mae.EncoderConfig(frames=16, **SMALL), decoder_depth=1)
    n, seen = 4 * 25, 10
    embed = product(n, 3 * 4, 32)

    def mlp(k):
        return product(k, 32, 128) + product(k, 128, 32)

    assert cost.flops(masked.encoder) == embed + 2 * by_hand(n, 32, mlp(n))
    encoding, decoding = cost.mae_flops(masked, seen)
    assert encoding == embed + 2 * by_hand(seen, 32, mlp(seen))
    assert decoding == product(seen, 32, 32) + by_hand(n, 32, mlp(n)) + product(n, 32, 12)


def test_the_counter_counts_what_really_runs(encoder):
    """Tensors without data give the same count as a forward pass with two people."""
    x = torch.randn(1, 3, 16, 25, 2)
    with torch.no_grad():
        real = cost.count(lambda: encoder(x))
    assert real[0] == cost.flops(encoder, people=2)
    # positions are added up once for both people
    assert sum(real) == pytest.approx(cost.flops(encoder, people=2, elementwise=True), rel=1e-3)


def test_element_wise_work_by_hand():
    linear, norm, x = torch.nn.Linear(4, 6), torch.nn.LayerNorm(6), torch.randn(5, 4)
    assert cost.count(lambda: norm(linear(x)).softmax(dim=1) + 1) == (product(5, 4, 6), 30 * (1 + 5 + 2 + 1))


def test_the_backward_pass_costs_twice_the_forward_pass():
    encoder = mae.Encoder(mae.EncoderConfig(frames=16, **SMALL))
    tokens = torch.randn(1, 100, 32, requires_grad=True)
    forward = cost.count(lambda: encoder.encode(tokens))[0]
    assert cost.count(lambda: encoder.encode(tokens).sum().backward())[0] == 3 * forward


def test_pretraining_counts_teacher_student_and_heads():
    """A step of SLiM by hand: three times the student's forward pass, once the teacher's; small change for the rest."""
    sizes = {"width": 32, "depth": 1, "heads": 4, "prototypes": 512, "head_hidden": 64, "head_bottleneck": 32}
    config = Config(preset="paper", batch_size=2, **sizes)
    encoder = Encoder(config.encoder(KINECT_V2))
    views = {f: cost.flops(encoder, frames=f) for f in (64, 32, 16, 8)}
    student = 2 * views[64] + 2 * views[32] + 4 * views[16] + 2 * views[8]
    # the last block, here the only one, is worked out for CLS and masked tokens alone: projection and MLP of 88 in the global
    # views, all but keys and values in the local ones
    row = product(1, 32, 32) + 2 * product(1, 32, 88) + product(1, 88, 32)
    spared = (2 * 205 - 2 - 140) * row
    local = sum(
        count * (4 + 25 * f // 8) * (row + 2 * product(1, 32, 5 + 25 * f // 8)) for f, count in ((32, 2), (16, 4), (8, 2))
    )
    head = product(1, 32, 64) + product(1, 64, 64) + product(1, 64, 32) + product(1, 32, 512)
    heads = head * (10 + 140)  # ten views, and 70 % of 200 cells of the one global view in two that is masked
    teacher = 2 * views[64] - spared + head * (2 + 140)
    assert cost.pretraining_flops(config) == pytest.approx(3 * (student - spared - local + heads) + teacher, rel=0.03)


@torch.no_grad()
def test_leaving_out_absent_people_changes_nothing_but_the_cost(encoder):
    x, there = cost._batch(encoder, 1.25, 8)
    assert there.sum().item() == 10 and not x[2:, ..., 1].any()

    def tokens(out):
        return out if isinstance(out, torch.Tensor) else out.tokens

    released, ours = tokens(encoder(x)), tokens(encoder(x, people=there))
    torch.testing.assert_close(ours[there], released[there], atol=1e-5, rtol=1e-5)
    assert not ours[~there].any() and released[~there].any()
    assert cost.count(lambda: encoder(x, people=there))[0] == pytest.approx(10 / 16 * cost.count(lambda: encoder(x))[0])


def test_the_published_figures():
    """What comes out of the paper's table, and what does not."""
    table = cost.table(pretraining=False).set_index(["what", "people"])
    assert cost.parameters(Encoder()) == 6_368_768
    for frames, expected in ((64, 5.88), (32, 2.84), (16, 1.44), (8, 0.77)):
        assert table.counted[f"SLiM encoder, {frames} frames", 2] == pytest.approx(expected, abs=0.006)
    assert table.counted["MAMP encoder, all 750 tokens", 1] == pytest.approx(14.05, abs=0.005)
    assert table.counted["MAMP encoder, 74 tokens", 1] == pytest.approx(0.98, abs=0.005)
    assert table.counted["MAMP decoder", 1] == pytest.approx(8.79, abs=0.005)
    close = table.dropna(subset="paper")
    off = (close.elementwise / close.paper - 1).abs()
    assert set(off.index[off > 0.002]) == {("SLiM encoder, 64 frames", 2), ("ratio: MAMP inference / SLiM inference", 2)}
    assert table.counted["ratio: MAMP inference / SLiM inference", 2] == pytest.approx(4.78, abs=0.005)


def test_the_mix_states_both_ratios():
    table = cost.mix(seconds=0).set_index(["method", "encoded"])
    released, skipped = (table[f"GFLOPs over SLiM, {how}"] for how in ("two bodies always", "those who are there"))
    assert released["MAMP", "two bodies always"] == pytest.approx(4.78, abs=0.005)
    assert skipped["MAMP", "two bodies always"] == pytest.approx(7.97, abs=0.005)
    assert skipped["MAMP", "those who are there"] == pytest.approx(4.78, abs=0.005)


def test_live_tensors_are_followed():
    """A chain that frees what it no longer needs: two of the three tensors at once."""
    kib = 256  # float32 in a KiB

    def chain():
        a = torch.zeros(100 * kib)
        b = torch.cat([a, a])
        del a
        return b.view(-1)[: 50 * kib] + 1

    assert cost.peak_bytes(chain, torch.device("cpu")) == 1024 * (100 + 200)
    linear = torch.nn.Linear(kib, kib, bias=False)
    assert cost.peak_bytes(lambda: None, torch.device("cpu"), linear) == 1024 * kib


def test_memory_and_speed_grow_as_they_should(encoder):
    weights = 4 * cost.parameters(encoder)
    small, large = (cost.memory(encoder, batch_size=b) for b in (4, 16))
    assert weights < small < large < 4 * small
    assert cost.memory(encoder, people=1.25, batch_size=16) > large
    assert cost.throughput(encoder, people=1.25, batch_size=4, seconds=0) > 0
    with pytest.raises(ValueError, match=r"1\.\.2"):
        cost.throughput(encoder, people=3)


def test_training_needs_more_memory_with_more_clips():
    config = mae.Config(frames=16, width=32, depth=1, decoder_depth=1)
    trainer = mae.Trainer(config, KINECT_V2)
    small, large = (cost.pretraining_memory(config, clips=c) for c in (2, 8))
    assert 4 * 4 * cost.parameters(trainer.mae) < small < large < 4 * small


def test_one_pass_of_each_network():
    """Counted as in the table; the clock is optional."""
    passes = cost.asymmetry(seconds=0)
    counted = dict(zip(passes["what"], passes["gflops"], strict=True))
    slim, used, encoding, decoding = passes["gflops"]
    assert passes["tokens"].tolist() == [200, 750, 74, 750] and passes["milliseconds"].isna().all()
    assert slim == pytest.approx(cost.flops(Encoder()) / 1e9) and used / slim == pytest.approx(4.78, abs=0.01)
    assert used / encoding == pytest.approx(14.33, abs=0.01) and decoding == pytest.approx(8.79, abs=0.01)
    assert len(counted) == 4


@pytest.mark.full
def test_the_clock_of_one_pass():
    assert (cost.asymmetry(seconds=0.01, batch_size=1)["milliseconds"] > 0).all()
