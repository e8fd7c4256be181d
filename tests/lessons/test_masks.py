"""The check of the tube mask takes the method as the paper describes it, and names the mistakes that readers make."""

import pytest
import torch

from slimlab import lessons, masking
from slimlab.skeleton import Skeleton


def tube_mask(steps, skeleton, ratio, generator, **wrong):
    """Semantic tubes on one clip, written as a reader would; `wrong` changes one thing."""

    def uniform(low, high):
        return low + (high - low) * float(torch.rand((), generator=wrong.get("dice", generator)))

    mask = torch.zeros(steps, len(skeleton), dtype=torch.bool)
    goal, failed = round(ratio * steps * len(skeleton)), 0
    parts = wrong.get("parts", list(skeleton.parts.values()))
    while mask.sum() < goal and failed < 10:
        missing = goal - int(mask.sum())
        chain = parts[int(uniform(0, len(parts)))]
        length = int(uniform(1, len(chain) + 1))
        if wrong.get("whole_parts"):
            length = len(chain)
        first = int(uniform(0, len(chain) - length + 1))
        most = min(missing, 4 * len(skeleton))
        area = uniform(min(steps, most), max(steps, most))
        duration = min(max(round(area / length), 1), steps)
        if wrong.get("all_time"):
            duration = steps
        start = int(uniform(0, steps - duration + 1))
        tube = torch.zeros_like(mask)
        tube[start : start + duration, list(chain[first : first + length])] = True
        if wrong.get("scattered"):
            tube = tube[:, torch.randperm(len(skeleton), generator=generator)]
        added = int((tube & ~mask).sum())
        if added > 0 and (added <= missing or wrong.get("too_much")):
            mask, failed = mask | tube, 0
        else:
            failed += 1 if not wrong.get("impatient") else 10
    return mask


def joint_numbers(skeleton):
    """Parts that are slices of joint numbers instead of chains."""
    return [tuple(range(i, i + 5)) for i in range(0, len(skeleton) - 4, 5)]


def test_it_takes_a_right_answer(capsys):
    lessons.check_tube_mask(tube_mask)
    assert capsys.readouterr().out.count("✓") == 1


def random_cells(steps, skeleton, ratio, generator):
    return masking.random_cells(1, steps, skeleton, ratio, generator)[0]


def joint_tubes(steps, skeleton, ratio, generator):
    return masking.joint_tubes(1, steps, skeleton, ratio, generator)[0]


def by_number(steps, skeleton, ratio, generator):
    return tube_mask(steps, skeleton, ratio, generator, parts=joint_numbers(skeleton))


def sorted_parts(steps, skeleton, ratio, generator):
    return tube_mask(steps, skeleton, ratio, generator, parts=[sorted(p) for p in skeleton.parts.values()])


def last_part_never(steps, skeleton, ratio, generator):
    return tube_mask(steps, skeleton, ratio, generator, parts=list(skeleton.parts.values())[:-1])


def of(**wrong):
    return lambda steps, skeleton, ratio, generator: tube_mask(steps, skeleton, ratio, generator, **wrong)


@pytest.mark.parametrize(
    "function, says",
    [
        (random_cells, "consecutive steps"),
        (joint_tubes, "area divided by its joints"),
        (by_number, "several parts|run of joints"),
        (sorted_parts, "skips joints of its chain|along a part's chain"),
        (last_part_never, "among all parts"),
        (of(all_time=True), "area divided by its joints|go on until"),
        (of(whole_parts=True), "length from 1|its area divided"),
        (of(scattered=True), "run of joints|chain"),
        (of(too_much=True), "budget is"),
        (of(impatient=True), "ten proposals"),
        (of(dice=torch.Generator().manual_seed(7)), "same seed"),
        (lambda *_: tube_mask(*_[:3], torch.Generator().manual_seed(7)), "always gives the same"),
        (lambda *_: tube_mask(*_).float(), "bool"),
        (lambda *_: tube_mask(*_).T, "shape"),
        (lambda *_: None, "returned nothing"),
        (lambda *_: tube_mask(*_).tolist(), "torch tensor"),
        (lambda steps, skeleton: None, "stopped"),
    ],
)
def test_it_names_the_mistake(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_tube_mask(function)


def test_an_empty_function_and_one_that_fails_are_named():
    def empty():
        raise NotImplementedError

    def broken(x):
        return x.nonsense

    with pytest.raises(lessons.NotYet, match="empty is still empty"):
        lessons.attempt(empty)
    with pytest.raises(lessons.NotYet, match=r"broken stopped in the line `return x.nonsense` with AttributeError"):
        lessons.attempt(broken, 3)
    assert lessons.attempt(max, 3, 4) == 4
    assert lessons.NotYet("A sentence.")._render_traceback_()[0].endswith("A sentence.")


def ratios(n, low, high, generator, **wrong):
    where = torch.rand(n, generator=generator)
    bins = torch.arange(n) if wrong.get("ordered") else torch.randperm(n, generator=generator)
    if wrong.get("independent"):
        return low + (high - low) * where
    if wrong.get("middles"):
        where = torch.full((n,), 0.5)
    if wrong.get("rolled"):
        bins = torch.arange(n).roll(int(torch.randint(2, (), generator=generator)))
    return low + (high - low) * (bins + where) / n


def of_ratios(**wrong):
    return lambda *a: ratios(*a, **wrong)


def test_stratified_ratios_right():
    lessons.check_stratified_ratios(ratios)
    lessons.check_stratified_ratios(lambda n, low, high, dice: masking.stratified_ratios(n, (low, high), dice))


@pytest.mark.parametrize(
    "function, says",
    [
        (of_ratios(independent=True), "leaves bins empty"),
        (of_ratios(ordered=True), "rising ratios"),
        (of_ratios(middles=True), "same place inside a bin"),
        (of_ratios(rolled=True), "favours some places"),
        (lambda n, low, high, dice: ratios(n, 0.0, 1.0, dice), "scale numbers"),
        (
            lambda n, low, high, dice: ratios(n, low, high, torch.Generator().manual_seed(int(torch.randint(9**9, ())))),
            "same seed",
        ),
        (lambda n, low, high, dice: ratios(n, low, high, dice)[None], "shape"),
    ],
)
def test_stratified_ratios_wrong(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_stratified_ratios(function)


def whole_tubes(steps, joints, ratio, generator, **wrong):
    goal = round(ratio * steps * joints)
    order = torch.arange(joints) if wrong.get("ordered") else torch.randperm(joints, generator=generator)
    mask = torch.zeros(steps, joints, dtype=torch.bool)
    mask[:, order[: goal // steps]] = True
    if not wrong.get("untrimmed"):
        mask[: goal % steps, order[goal // steps :][:1]] = True
    return mask


def of_tubes(**wrong):
    return lambda *a: whole_tubes(*a, **wrong)


def scattered_last(steps, joints, ratio, generator):
    mask = whole_tubes(steps, joints, ratio, generator)
    partly = (mask.any(dim=0) & ~mask.all(dim=0)).nonzero()[:, 0]
    mask[:, partly] = mask[torch.randperm(steps, generator=generator)][:, partly]
    return mask


def own_dice(steps, joints, ratio, generator):
    return whole_tubes(steps, joints, ratio, torch.Generator().manual_seed(int(torch.randint(9**9, ()))))


def test_joint_tubes_right():
    lessons.check_joint_tubes(whole_tubes)
    lessons.check_joint_tubes(lambda t, v, ratio, dice: masking.joint_tubes(1, t, chain_of(v), ratio, dice)[0])


def chain_of(joints):
    names, parents = [f"j{i}" for i in range(joints)], [-1, *range(joints - 1)]
    return Skeleton(names, parents, {"all": range(joints)}, (), 0)


@pytest.mark.parametrize(
    "function, says",
    [
        (lambda t, v, r, dice: masking.random_cells(1, t, chain_of(v), r, dice)[0], "hidden over all time"),
        (of_tubes(untrimmed=True), "whole joints while they fit"),
        (of_tubes(ordered=True), "randperm"),
        (lambda *a: ~whole_tubes(*a), "True means hidden"),
        (scattered_last, "scatters the trimmed joint's steps"),
        (own_dice, "same seed"),
        (lambda *a: whole_tubes(*a).T, "shape"),
    ],
)
def test_joint_tubes_wrong(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_joint_tubes(function)
