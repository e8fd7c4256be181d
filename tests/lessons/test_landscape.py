"""The checks of lesson 09 take right answers and name mistakes; its network gives what the loss lines ask of it."""

import math

import pytest
import torch
import torch.nn.functional as F

from slimlab import data, lessons, pretrain
from slimlab.lessons import landscape, solutions
from slimlab.losses import RunningCenter
from slimlab.study.paper import published

CONFIG = pretrain.Config(
    preset="tiny", steps=4, batch_size=8, width=16, depth=1, prototypes=12, head_hidden=16, head_bottleneck=8
)


def info_nce(a, b, temperature, unit=lambda x: F.normalize(x, dim=1), ways=(0, 1), end=lambda terms: sum(terms) / 2, **how):
    scores = unit(a) @ unit(b).T / temperature
    own = torch.arange(len(a))
    return end([F.cross_entropy((scores, scores.T)[way], own, **how) for way in ways])


def by_hand(a, b, temperature):
    a, b = (x / x.norm(dim=1, keepdim=True) for x in (a.double(), b.double()))
    scores = a @ b.T / temperature
    return -(scores.log_softmax(1).diagonal() + scores.log_softmax(0).diagonal()).mean() / 2


def simclr(a, b, temperature):
    both = F.normalize(torch.cat([a, b]), dim=1)
    scores = (both @ both.T / temperature).masked_fill(torch.eye(len(both), dtype=torch.bool), -torch.inf)
    return F.cross_entropy(scores, torch.arange(len(both)).roll(len(a)))


def without_partner(a, b, temperature):
    scores = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / temperature
    others = scores.masked_fill(torch.eye(len(a), dtype=torch.bool), -torch.inf)
    return ((others.logsumexp(0) + others.logsumexp(1)) / 2 - scores.diagonal()).mean()


def share(a, b, temperature):
    scores = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / temperature
    return -(scores.softmax(0).diagonal() + scores.softmax(1).diagonal()).mean() / 2


@pytest.mark.parametrize("right", [info_nce, by_hand, solutions.info_nce])
def test_info_nce_right(right, capsys):
    lessons.check_info_nce(right)
    assert capsys.readouterr().out.count("✓") == 1


@pytest.mark.parametrize(
    "wrong, says",
    [
        (lambda a, b, t: info_nce(a, b, t, ways=(0,), end=lambda terms: terms[0]), "a to b only"),
        (lambda a, b, t: info_nce(a, b, t, ways=(1,), end=lambda terms: terms[0]), "b to a only"),
        (lambda a, b, t: info_nce(a, b, t, end=sum), "adds the two directions"),
        (lambda a, b, t: info_nce(a, b, t, reduction="sum"), "sums over the batch"),
        (lambda a, b, t: info_nce(a, b, t, unit=lambda x: x), "compares products"),
        (lambda a, b, t: info_nce(a, b, t, unit=lambda x: F.normalize(x, dim=0)), "normalizes over the batch"),
        (lambda a, b, t: info_nce(a, b, 1.0), "does not use the temperature"),
        (lambda a, b, t: info_nce(a, b, 1 / t), "multiplies by the temperature"),
        (lambda a, b, t: -info_nce(a, b, t), "wrong sign"),
        (lambda a, b, t: -(F.normalize(a, dim=1) * F.normalize(b, dim=1)).sum(1).mean() / t, "no other clips"),
        (lambda a, b, t: info_nce(a, b.detach(), t), "gradient by b"),
        (lambda a, b, t: info_nce(a.detach(), b.detach(), t), "no gradient"),
        (lambda a, b, t: info_nce(a, b, t) + 1, "is right: cosines"),
        (lambda a, b, t: info_nce(a, b, t, reduction="none"), "shape"),
        (simclr, "same view among the others"),
        (without_partner, "leaves the partner out"),
        (share, "not its logarithm"),
    ],
)
def test_info_nce_wrong(wrong, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_info_nce(wrong)


def byol(p, t, other=True, stop=True, unit=lambda x: F.normalize(x, dim=1), end=lambda d: d.sum(1).mean(), ways=(0, 1)):
    t = [x.detach() for x in t] if stop else t
    terms = [end((unit(p[v]) - unit(t[1 - v if other else v])).square()) for v in ways]
    return sum(terms) / len(ways)


@pytest.mark.parametrize("right", [byol, solutions.byol, lambda p, t: byol([x.double() for x in p], tuple(t))])
def test_byol_right(right):
    lessons.check_byol(right)


@pytest.mark.parametrize(
    "wrong, says",
    [
        (lambda p, t: byol(p, t, other=False), "its own target"),
        (lambda p, t: byol(p, t, stop=False), "stop-gradient"),
        (lambda p, t: byol(p, t, ways=(0,)), "view 2 predicts view 1"),
        (lambda p, t: byol(p, t, ways=(1,)), "view 1 predicts view 2"),
        (lambda p, t: 2 * byol(p, t), "adds the two directions"),
        (lambda p, t: byol(p, t, end=lambda d: d.sum()), "sums over the batch"),
        (lambda p, t: byol(p, t, unit=lambda x: x), "length one"),
        (lambda p, t: byol(p, t, unit=lambda x: x, end=lambda d: d.mean()), "length one"),
        (lambda p, t: byol(p, t, end=lambda d: d.mean()), "a squared distance is their sum"),
        (lambda p, t: byol(p, t, unit=lambda x: F.normalize(x, dim=0)), "over the batch"),
        (lambda p, t: byol(p, t) / 2, "1 - cos"),
        (lambda p, t: byol(p, t) / 2 - 1, "minus the cosine"),
        (lambda p, t: -byol(p, t), "wrong sign"),
        (lambda p, t: byol([x.detach() for x in p], t), "no gradient comes out"),
        (lambda p, t: byol([p[0], p[1].detach()], t), "both predictions"),
        (lambda p, t: byol(p, t) + 1, "is right: 2 - 2 cos"),
    ],
)
def test_byol_wrong(wrong, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_byol(wrong)


def centered(logits, center, temperature, momentum):
    targets = ((logits - center) / temperature).softmax(dim=1)
    return targets, momentum * center + (1 - momentum) * logits.mean(dim=0)


def with_targets(make):
    return lambda x, c, t, m: (make(x, c, t, m), centered(x, c, t, m)[1])


def with_center(make):
    return lambda x, c, t, m: (centered(x, c, t, m)[0], make(x, c, t, m))


def in_place(logits, center, temperature, momentum):
    targets, new = centered(logits, center, temperature, momentum)
    center.copy_(new)
    return targets, center


@pytest.mark.parametrize(
    "right",
    [
        centered,
        lambda x, c, t, m: list(centered(x.double(), c.double(), t, m)),
        lambda x, c, t, m: (centered(x, c, t, m)[0], m * c[None] + (1 - m) * x.mean(0, keepdim=True)),
    ],
)
def test_centered_right(right):
    lessons.check_centered(right)


@pytest.mark.parametrize(
    "wrong, says",
    [
        (with_targets(lambda x, c, t, m: ((x - m * c - (1 - m) * x.mean(0)) / t).softmax(1)), "use the new center"),
        (with_targets(lambda x, c, t, m: (x / t).softmax(1)), "leave the center out"),
        (with_targets(lambda x, c, t, m: ((x - x.mean(0)) / t).softmax(1)), "batch's own mean"),
        (with_targets(lambda x, c, t, m: (x - c).softmax(1)), "leave the temperature out"),
        (with_targets(lambda x, c, t, m: (x / t - c).softmax(1)), "after dividing"),
        (with_targets(lambda x, c, t, m: ((x + c) / t).softmax(1)), "adds the center"),
        (with_targets(lambda x, c, t, m: ((x - c) / t).softmax(0)), "over the samples"),
        (with_targets(lambda x, c, t, m: (x - c) / t), "gives logits"),
        (with_targets(lambda x, c, t, m: x.abs()), "differ from softmax"),
        (with_center(lambda x, c, t, m: c), "does not move"),
        (with_center(lambda x, c, t, m: x.mean(0)), "is the batch's mean"),
        (with_center(lambda x, c, t, m: (1 - m) * c + m * x.mean(0)), "gives momentum to the batch"),
        (with_center(lambda x, c, t, m: m * c + (1 - m) * x.sum(0)), "sum of the batch"),
        (with_center(lambda x, c, t, m: m * c + (1 - m) * x.mean(0) / t), "logits over the temperature"),
        (with_center(lambda x, c, t, m: m * c + (1 - m) * (x - c).mean(0)), "after it was subtracted"),
        (with_center(lambda x, c, t, m: c + 1), "is not momentum"),
        (lambda x, c, t, m: centered(x, c, t, m)[0], "two tensors"),
        (in_place, "return new ones"),
    ],
)
def test_centered_wrong(wrong, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_centered(wrong)


def test_centered_is_the_librarys():
    library, logits = RunningCenter(5, 0.8), torch.randn(7, 5)
    center = library.mean.clone()
    for _ in range(3):
        targets, center = centered(logits, center, 0.1, 0.8)
        torch.testing.assert_close(targets, library(logits, 0.1))
        library.update()
        torch.testing.assert_close(center, library.mean)


# the network, its batches and what it is judged by


@pytest.fixture(scope="module")
def store():
    return data.synthetic(clips=44, seed=0)


def test_pairs_are_two_views_of_the_same_clips_with_hidden_tokens_of_the_first(store):
    made = landscape.pairs(store, CONFIG, 2)
    assert len(made) == 2 and made[0].a.shape == made[0].b.shape == (8, 3, 32, 25, 1)
    shares = made[0].hidden.flatten(1).double().mean(dim=1)
    assert made[0].hidden.shape == (8, 2, 25) and bool(((shares > 0.4) & (shares < 1)).all())
    assert torch.equal(made[0].asked, made[0].hidden)  # every joint of this store was seen
    assert torch.equal(made[0].a, landscape.pairs(store, CONFIG, 1)[0].a)


@torch.no_grad()
@pytest.mark.parametrize("kind", [landscape.Network, landscape.Constant])
def test_what_a_network_gives_has_the_shape_that_the_losses_take(kind, store):
    network, views = kind(CONFIG, store.skeleton), landscape.pairs(store, CONFIG, 1)[0]
    embedding = network.embed(views.a)
    assert embedding.shape == network.predict(embedding).shape == (8, 8)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(8))
    assert network.logits(views.a).shape == (8, 12)
    assert network.tokens(views.a).shape == network.guess(views.a, views.hidden).shape == (8, 2, 25, 16)
    assert network.token_logits(views.a, views.hidden).shape == (8, 2, 25, 12)
    assert network.coordinates(views.a, views.hidden).shape == (8, 2, 25, 3 * 16)
    same = [x.flatten(1).std(dim=0).max() < 1e-6 for x in (embedding, network.logits(views.a), network.tokens(views.a))]
    assert all(same) == (kind is landscape.Constant)


def test_a_constant_pays_what_theory_says(store):
    network, views = landscape.Constant(CONFIG, store.skeleton), landscape.pairs(store, CONFIG, 1)[0]
    pays = info_nce(network.embed(views.a), network.embed(views.b), 0.1)
    assert float(pays) == pytest.approx(math.log(8), abs=1e-5)
    assert float(byol([network.embed(views.a)] * 2, [network.embed(views.b)] * 2)) == pytest.approx(0, abs=1e-6)
    assert network.center(network.logits(views.a), 0.02).std() < 1e-6  # centered, its targets are even


def test_training_moves_a_copy_and_judging_reads_it(store):
    torch.manual_seed(0)
    start, batches = landscape.Network(CONFIG, store.skeleton), landscape.pairs(store, CONFIG, 3)
    before = {name: value.clone() for name, value in start.state_dict().items()}
    loss = lambda s, t, v: info_nce(s.embed(v.a), s.embed(v.b), 0.1)  # noqa: E731
    network, values = landscape.trained(start, loss, batches, CONFIG)
    assert len(values) == 3 and all(map(math.isfinite, values))
    assert all(torch.equal(value, before[name]) for name, value in start.state_dict().items())
    assert not torch.equal(network.encoder.cls_token, start.encoder.cls_token)
    again, same = landscape.trained(start, loss, batches, CONFIG)
    assert values == same and torch.equal(again.encoder.cls_token, network.encoder.cls_token)
    for reads in ("cls", "mean"):
        found = landscape.judge(network, reads, store[::2], store[1::2])
        assert 1 <= found["rank"] <= 16 and -1 <= found["mean cosine"] <= 1 and 0 <= found["kNN"] <= 1
    assert 1 <= landscape.in_use(network, store) <= 12


def test_the_teacher_and_its_center_follow(store):
    start, batches, seen = landscape.Network(CONFIG, store.skeleton), landscape.pairs(store, CONFIG, 3), []

    def loss(student, teacher, views):
        seen.append((teacher.center.mean.clone(), teacher.encoder.cls_token.clone()))
        return -(teacher.center(teacher.logits(views.b), 0.1) * student.logits(views.a).log_softmax(1)).sum(1).mean()

    landscape.trained(start, loss, batches, CONFIG)
    assert not seen[0][0].any() and seen[1][0].any()
    assert not torch.equal(seen[0][1], seen[2][1])


def test_the_field_has_the_printed_accuracies_and_sources():
    table = landscape.field()
    printed = published("1")["NTU-60 X-Sub"]
    assert table.loc["SLiM", "NTU-60 X-Sub"] == 87.9
    skeleton = table["NTU-60 X-Sub"].dropna()
    assert all(value == printed[name] for name, value in skeleton.items()) and len(skeleton) == 7
    assert table["source"].str.fullmatch(r"arXiv \d{4}\.\d{5}|ECCV 2024").all()
