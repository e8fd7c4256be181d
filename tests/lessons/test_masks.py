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
    goal, failed = wrong.get("whole", round)(ratio * steps * len(skeleton)), 0
    parts = wrong.get("parts", list(skeleton.parts.values()))
    while mask.sum() < goal and failed < wrong.get("patience", 10):
        missing = goal - int(mask.sum())
        chain = parts[int(uniform(0, len(parts)))]
        if wrong.get("parts_by_size"):
            chain = parts[skeleton.part_of[int(uniform(0, len(skeleton)))]]
        length = int(uniform(1, len(chain) + 1))
        if wrong.get("whole_parts"):
            length = len(chain)
        if wrong.get("rounded_length"):
            length = round(uniform(1, len(chain)))
        first = int(uniform(0, len(chain) - length + 1))
        most = missing if wrong.get("without_the_cap") else min(missing, 4 * len(skeleton))
        area = uniform(min(steps, most), max(steps, most))
        duration = min(max(round(area / length), 1), steps)
        if wrong.get("never_at_the_end"):
            first = int(uniform(0, max(1, len(chain) - length)))
        if wrong.get("all_time"):
            duration = steps
        if wrong.get("uniform_duration"):
            duration = int(uniform(1, steps + 1))
        start = int(uniform(0, steps - duration + 1))
        if wrong.get("never_last"):
            start = int(uniform(0, max(1, steps - duration)))
        if wrong.get("cut_off"):
            start = int(uniform(0, steps))
        if wrong.get("from_the_start"):
            start = 0
        tube = torch.zeros_like(mask)
        tube[start : start + duration, list(chain[first : first + length])] = True
        if wrong.get("scattered"):
            tube = tube[:, torch.randperm(len(skeleton), generator=generator)]
        added = int((tube & ~mask).sum())
        counted = int(tube.sum()) if wrong.get("all_tokens_count") else added
        if wrong.get("never_full") and added == missing:
            failed += 1
        elif added > 0 and (counted <= missing or wrong.get("too_much")):
            mask, failed = mask | tube, failed if wrong.get("in_all") else 0
        else:
            failed += 1
    return mask


def joint_numbers(skeleton):
    """Parts that are slices of joint numbers instead of chains."""
    return [tuple(range(i, i + 5)) for i in range(0, len(skeleton) - 4, 5)]


def one_proposal(steps, skeleton, ratio, generator):
    """The same rules in another order of draws, and with NumPy's rounding."""
    mask, failed = torch.zeros(steps, len(skeleton), dtype=torch.bool), 0
    goal = int(masking.budget(ratio, steps, len(skeleton)))
    parts = list(skeleton.parts.values())
    while failed < 10 and (missing := goal - int(mask.sum())) > 0:
        u = torch.rand(5, generator=generator, dtype=torch.float64)
        cap = min(missing, 4 * len(skeleton))
        area = min(steps, cap) + (max(steps, cap) - min(steps, cap)) * u[0]
        chain = parts[int(torch.randint(len(parts), (), generator=generator))]
        length = int(u[1] * len(chain)) + 1
        duration = int((area / length).round().clamp(1, steps))
        first, start = int(u[2] * (len(chain) - length + 1)), int(u[3] * (steps - duration + 1))
        new = torch.zeros_like(mask)
        new[start : start + duration, list(chain)[first : first + length]] = True
        new &= ~mask
        fits = 0 < new.sum() <= missing
        mask, failed = (mask | new, 0) if fits else (mask, failed + 1)
    return mask


@pytest.mark.parametrize("function", [tube_mask, one_proposal])
def test_it_takes_a_right_answer(function, capsys):
    lessons.check_tube_mask(function)
    assert capsys.readouterr().out.count("✓") == 1


@pytest.mark.parametrize("shift", range(4))
def test_a_right_answer_passes_whatever_numbers_it_draws(shift, capsys):
    """Thirty draws of `shift` passed when this was written."""

    def other_numbers(steps, skeleton, ratio, generator):
        torch.rand(shift, generator=generator)
        return tube_mask(steps, skeleton, ratio, generator)

    lessons.check_tube_mask(other_numbers)
    assert capsys.readouterr().out.count("✓") == 1


def random_cells(steps, skeleton, ratio, generator):
    return masking.random_cells(1, steps, skeleton, ratio, generator)[0]


def joint_tubes(steps, skeleton, ratio, generator):
    return masking.joint_tubes(1, steps, skeleton, ratio, generator)[0]


def by_number(steps, skeleton, ratio, generator):
    return tube_mask(steps, skeleton, ratio, generator, parts=joint_numbers(skeleton))


def on_one_joint(steps, skeleton, ratio, generator):
    return tube_mask(steps, skeleton, ratio, generator, parts=[(j,) for j in range(len(skeleton))])


def sorted_parts(steps, skeleton, ratio, generator):
    return tube_mask(steps, skeleton, ratio, generator, parts=[sorted(p) for p in skeleton.parts.values()])


def last_part_never(steps, skeleton, ratio, generator):
    return tube_mask(steps, skeleton, ratio, generator, parts=list(skeleton.parts.values())[:-1])


def of(**wrong):
    return lambda steps, skeleton, ratio, generator: tube_mask(steps, skeleton, ratio, generator, **wrong)


@pytest.mark.parametrize(
    "function, says",
    [
        (random_cells, "hide a whole tube at a time|several parts"),
        (joint_tubes, "hide a whole tube at a time|several parts|area divided by its joints"),
        (by_number, "several parts|skip joints of their chain"),
        (on_one_joint, "along a part's chain|area divided by its joints"),
        (sorted_parts, "skip joints of their chain"),
        (last_part_never, "among all parts"),
        (of(parts_by_size=True), "among all parts, whatever their size"),
        (of(without_the_cap=True), "or 4 V tokens where that is less"),
        (of(all_time=True), "area divided by its joints"),
        (of(uniform_duration=True), "area divided by its joints"),
        (of(whole_parts=True), "length n uniformly from 1"),
        (of(scattered=True), "several parts|skip joints|chain"),
        (of(rounded_length=True), "a rounded uniform number"),
        (of(never_at_the_end=True), "a run of n joints begins anywhere"),
        (of(never_last=True), "starts anywhere from 0 to 8 - d"),
        (of(cut_off=True), "starts anywhere from 0 to 8 - d"),
        (of(from_the_start=True), "starts anywhere from 0 to 8 - d"),
        (of(whole=int), r"= 29: round the budget"),
        (of(never_full=True), "exactly what is missing"),
        (lambda *a: ~tube_mask(*a), "True means hidden"),
        (of(too_much=True), "the budget is round"),
        (of(patience=1), "until ten proposals in a row fail"),
        (of(patience=5), "until ten proposals in a row fail"),
        (of(in_all=True), "a success sets the count back"),
        (of(all_tokens_count=True), "only a tube's new tokens count"),
        (of(patience=500), "give up after ten failed proposals in a row"),
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
    with pytest.raises(lessons.NotYet, match=r"stopped.*NotImplementedError.*forward"):  # not the reader's empty function
        lessons.attempt(lambda: torch.nn.Module()(3))
    assert lessons.NotYet("A sentence.")._render_traceback_()[0].endswith("A sentence.")


def ratios(n, low, high, generator, **wrong):
    where = torch.rand(n, generator=generator)
    bins = torch.arange(n) if wrong.get("ordered") else torch.randperm(n, generator=generator)
    if wrong.get("together"):
        where = torch.rand(1, generator=generator)
    if wrong.get("independent"):
        return low + (high - low) * where
    if wrong.get("middles"):
        where = torch.full((n,), 0.5)
    if wrong.get("rolled"):
        bins = torch.arange(n).roll(int(torch.randint(2, (), generator=generator)))
    if wrong.get("shifted"):
        bins = (wrong["shifted"] * torch.arange(n)).roll(int(torch.randint(n, (), generator=generator))) % n
    return low + (high - low) * (bins + where) / n


def of_ratios(**wrong):
    return lambda *a: ratios(*a, **wrong)


def test_stratified_ratios_right():
    lessons.check_stratified_ratios(ratios)
    lessons.check_stratified_ratios(lambda *a: ratios(*a).double())
    lessons.check_stratified_ratios(lambda n, low, high, dice: ratios(n, low, high, dice)[torch.randperm(n, generator=dice)])
    lessons.check_stratified_ratios(lambda n, low, high, dice: masking.stratified_ratios(n, (low, high), dice))


@pytest.mark.parametrize(
    "function, says",
    [
        (of_ratios(independent=True), "leaves bins empty"),
        (lambda *a: ratios(*a, independent=True).sort().values, "leaves bins empty"),
        (of_ratios(ordered=True), "rising ratios"),
        (of_ratios(middles=True), "same place inside a bin"),
        (of_ratios(together=True), "same place in every bin"),
        (lambda n, low, high, dice: ratios(n, low, high, dice.manual_seed(0)), "same ratios each time"),
        (lambda n, low, high, dice: low + (ratios(n, low, high, dice) - low) * n, "place in the bin"),
        (of_ratios(rolled=True), "favors some places"),
        (of_ratios(shifted=1), "shifts the bins in a circle"),
        (of_ratios(shifted=-1), "shifts the bins in a circle"),
        (of_ratios(shifted=3), "shifts the bins in a circle"),
        (lambda n, low, high, dice: ratios(n, low, high, dice).sort().values, "rising ratios"),
        (lambda *a: ratios(*a).tolist(), "torch tensor"),
        (lambda n, low, high, dice: ratios(n, 0.0, 1.0, dice), "scale it by"),
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
    goal = wrong.get("whole", round)(ratio * steps * joints)
    order = torch.arange(joints) if wrong.get("ordered") else torch.randperm(joints, generator=generator)
    if wrong.get("shifted"):
        order = torch.arange(joints).roll(int(torch.randint(joints, (), generator=generator)))
    if wrong.get("consecutive"):
        order = torch.arange(joints) + int(torch.randint(joints - goal // steps, (), generator=generator))
    mask = torch.zeros(steps, joints, dtype=torch.bool)
    mask[:, order[: round(ratio * joints) if wrong.get("rounded") else goal // steps]] = True
    if wrong.get("lone"):
        free = (~mask).nonzero()
        chosen = free[torch.randperm(len(free), generator=generator)[: goal % steps]]
        mask[chosen[:, 0], chosen[:, 1]] = True
    elif not wrong.get("untrimmed") and not wrong.get("rounded"):
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
        (of_tubes(shifted=True), "not a shift of their numbers"),
        (of_tubes(consecutive=True), "randperm|not a shift"),
        (of_tubes(rounded=True), "hides 144 tokens where .* whole joints while they fit"),
        (of_tubes(whole=int), r"round\(0.35 \* 4 \* 17\) = 24"),
        (of_tubes(lone=True), "in one more joint, from one end"),
        (lambda *a: ~whole_tubes(*a), "True means hidden"),
        (scattered_last, "scatters the trimmed joint's steps"),
        (own_dice, "same seed"),
        (lambda *a: whole_tubes(*a).T, "shape"),
    ],
)
def test_joint_tubes_wrong(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_joint_tubes(function)
