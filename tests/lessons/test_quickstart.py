"""The checks of the quickstart's exercises take right answers and name the mistakes that readers make."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from slimlab import lessons, masking
from slimlab.lessons.bodies import RENUMBERED, UPSIDE_DOWN
from slimlab.skeleton import H36M, KINECT_V2


def has_visible_neighbor(mask, parents):
    visible, near = ~mask, torch.zeros_like(mask)
    near[1:] |= visible[:-1]
    near[:-1] |= visible[1:]
    for joint, parent in enumerate(parents):
        if parent >= 0:
            near[:, joint] |= visible[:, parent]
            near[:, parent] |= visible[:, joint]
    return mask & near


def one_by_one(mask, parents):
    """The same in plain loops, token by token."""
    out = np.zeros(mask.shape, dtype=int)
    for t, j in np.ndindex(*mask.shape):
        near = [(t - 1, j), (t + 1, j), (t, parents[j]), *((t, child) for child, parent in enumerate(parents) if parent == j)]
        near = [(s, k) for s, k in near if 0 <= s < len(mask) and k >= 0]
        out[t, j] = bool(mask[t, j]) and any(not mask[s, k] for s, k in near)
    return out


def changed(**wrong):
    def function(mask, parents):
        visible, near = ~mask, torch.zeros_like(mask)
        if wrong.get("roll"):
            near |= visible.roll(1, 0) | visible.roll(-1, 0)
        if not wrong.get("no_before") and not wrong.get("no_time"):
            near[1:] |= visible[:-1]
        if not wrong.get("no_after") and not wrong.get("no_time"):
            near[:-1] |= visible[1:]
        for joint, parent in enumerate(range(-1, len(parents) - 1) if wrong.get("numbers") else parents):
            if parent < 0 and not wrong.get("minus_one"):
                continue
            if not wrong.get("no_parents"):
                near[:, joint] |= visible[:, parent]
            if not wrong.get("no_children"):
                near[:, parent] |= visible[:, joint]
        return near if wrong.get("all") else mask & near

    return function


def in_place(mask, parents):
    mask &= has_visible_neighbor(mask, parents)
    return mask


def nearest(x, labels, queries):
    return labels[(F.normalize(queries, dim=1) @ F.normalize(x, dim=1).T).argmax(dim=1)]


def test_right_answers(capsys):
    lessons.check_visible_neighbor(has_visible_neighbor)
    lessons.check_visible_neighbor(lambda m, p: has_visible_neighbor(m, p).double())
    lessons.check_visible_neighbor(one_by_one)
    lessons.check_nearest_label(nearest)
    lessons.check_nearest_label(lambda x, y, q: nearest(x.double(), y, q.double()).numpy())
    assert capsys.readouterr().out.count("✓") == 5


@pytest.mark.parametrize("body", [KINECT_V2, H36M, RENUMBERED, UPSIDE_DOWN], ids=["v2", "h36m", "renumbered", "upside down"])
def test_the_library_finds_visible_neighbors_as_a_loop_does(body):
    masks = masking.random_cells(20, 8, body, 0.8, torch.Generator().manual_seed(0))
    found = lessons.with_visible_neighbor(masks, body)
    assert np.array_equal(found.numpy(), [one_by_one(mask, body.parents) for mask in masks])


@pytest.mark.parametrize(
    "function, says",
    [
        (changed(all=True), "only hidden ones"),
        (lambda m, p: ~m, "only hidden ones"),
        (lambda m, p: has_visible_neighbor(m, [-1] * len(p)), "looks at other steps alone"),
        (changed(no_time=True), "looks at other joints alone"),
        (changed(no_children=True), "forgets the children"),
        (changed(no_parents=True), "forgets the parents"),
        (changed(no_before=True), "one step ahead and not one step back"),
        (changed(no_after=True), "one step back and not one step ahead"),
        (changed(roll=True), "joins the first step to the last"),
        (changed(numbers=True), "consecutive numbers"),
        (changed(minus_one=True, no_children=True), "forgets the children|leave the root out"),
        (changed(minus_one=True), "leave the root out"),
        (in_place, "new tensor"),
        (lambda m, p: m, "no neighbor is visible"),
        (lambda m, p: torch.zeros_like(m), "but a neighbor is visible"),
        (lambda m, p: 3 * m.int(), "True or False"),
        (lambda m, p: m[0], "shape"),
        (lambda m, p: None, "returned nothing"),
        (lambda m: m, "stopped"),
    ],
)
def test_visible_neighbor_wrong(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_visible_neighbor(function)


@pytest.mark.parametrize(
    "function, says",
    [
        (lambda x, y, q: y[(q @ x.T).argmax(dim=1)], "long features"),
        (lambda x, y, q: y[torch.cdist(q, x).argmin(dim=1)], "distance"),
        (lambda x, y, q: (F.normalize(q, dim=1) @ F.normalize(x, dim=1).T).argmax(dim=1), "index"),
        (lambda x, y, q: y[(F.normalize(q, dim=1) @ F.normalize(x, dim=1).T).argmin(dim=1)], "plain loop"),
        (lambda x, y, q: y[(F.normalize(q, dim=1) @ F.normalize(x, dim=1).T).argmax(dim=0)], "shape|stopped"),
        (lambda x, y, q: nearest(x, y, q)[:, None], "shape"),
    ],
)
def test_nearest_label_wrong(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_nearest_label(function)
