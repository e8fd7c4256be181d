"""The reader's own functions: kept, loaded, checked again, or replaced by solutions that are the library's and the lessons'."""

import copy
import inspect
import re
from functools import cache
from pathlib import Path

import nbformat
import pytest
import torch
from torch import nn

from slimlab import evaluate, lessons, losses, masking
from slimlab.encoder import Attention, Block, EncoderConfig, rotary_tables, rotate
from slimlab.lessons import solutions
from slimlab.lessons.own import keep_in
from slimlab.lessons.solutions import SOLVED
from slimlab.skeleton import COCO
from tests.script import load

ROOT = Path(__file__).parents[2]
exercises = load("exercises")

SINKHORN = '''def sinkhorn(logits, temperature, iterations=3):
    """Mine."""
    q = ((logits - logits.max()) / temperature).double().exp()
    for _ in range(iterations):
        q = q / q.sum(0)
        q = q / q.sum(1, keepdim=True)
    return q.to(logits)
'''
DICE = torch.Generator().manual_seed(0)


@pytest.fixture
def folder(tmp_path):
    keep_in(tmp_path / "own")
    yield tmp_path / "own"
    keep_in(None)


def written(folder, text, name="sinkhorn"):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(text)


def test_every_solution_passes_its_check_and_is_called_by_its_name(capsys):
    for name, solved in SOLVED.items():
        assert solved.solution.__name__ == name
        solved.check(solved.solution)
    assert capsys.readouterr().out.count("✓") == len(SOLVED)


def test_without_a_kept_one_the_solution_is_taken_and_a_line_says_so(folder, capsys):
    assert lessons.own("sinkhorn") is solutions.sinkhorn
    out = capsys.readouterr().out
    assert "the solution of lesson 05" in out and out.count("\n") == 1


def test_without_a_lesson_too(capsys):
    assert lessons.own("rotary") is solutions.rotary


def test_the_readers_own_is_taken_after_a_silent_check(folder, capsys):
    written(folder, SINKHORN)
    before = (folder / "sinkhorn.py").stat().st_mtime_ns
    mine = lessons.own("sinkhorn")
    out = capsys.readouterr().out
    assert mine.__doc__ == "Mine." and "sinkhorn: yours" in out and "✓" not in out and out.count("\n") == 1
    assert (folder / "sinkhorn.py").stat().st_mtime_ns == before  # the check keeps nothing again


def test_what_was_kept_by_its_check_is_loaded_again(folder, capsys):
    def follow(teacher, student, momentum):
        with torch.no_grad():
            for t, s in zip(teacher.parameters(), student.parameters(), strict=True):
                t.lerp_(s, 1 - momentum)

    lessons.check_ema(follow)
    assert "follow: yours" in (lessons.own("follow"), capsys.readouterr().out)[1]


def test_a_decorated_function_is_kept_with_its_decorator(folder):
    lessons.check_ema(solutions.follow)
    assert (folder / "follow.py").read_text().startswith("@torch.no_grad()")
    assert lessons.own("follow") is not solutions.follow


@pytest.mark.parametrize(
    "text, says",
    [
        (SINKHORN.replace("/ temperature", ""), "does not use the temperature"),
        (SINKHORN.replace("q.sum(0)", "even(q)"), "'even' is not defined"),
        (SINKHORN.replace("def sinkhorn", "def other"), "KeyError"),
        ("def sinkhorn(:", "SyntaxError"),
        ("raise ValueError('two\\nlines')", "two lines"),
    ],
)
def test_where_the_readers_own_fails_the_solution_stands_in_and_says_why(folder, capsys, text, says):
    written(folder, text)
    assert lessons.own("sinkhorn") is solutions.sinkhorn
    out = capsys.readouterr().out
    assert says in out and "does not pass" in out and out.count("\n") == 1


def cross_entropy(logits, targets, temperature):
    return -(targets * (logits / temperature).log_softmax(dim=-1)).sum(dim=-1)


def with_a_helper(student_logits, teacher_targets, mask, temperature=0.1):
    tokens = mask.flatten(1).sum(dim=1)
    return (cross_entropy(student_logits, teacher_targets, temperature) / tokens[mask.nonzero()[:, 0]]).sum() / len(mask)


def test_a_name_outside_of_the_kept_function_is_told_at_once(folder, capsys):
    with_a_helper.__name__ = "masked_loss"
    lessons.check_masked_loss(with_a_helper)
    assert "kept alone, without `cross_entropy`" in capsys.readouterr().out
    lessons.check_sinkhorn(solutions.sinkhorn)
    assert "kept alone" not in capsys.readouterr().out


def test_a_kept_function_may_use_the_lessons_names(folder, capsys):
    names = "torch np F nn math Tensor pd".split()
    written(folder, SINKHORN.replace('"""Mine."""', f"assert all([{', '.join(names)}])"))
    assert lessons.own("sinkhorn") is not solutions.sinkhorn


def test_a_name_that_nothing_asks_for(folder):
    with pytest.raises(ValueError, match="'sinkhom'; choose one of patchify"):
        lessons.own("sinkhom")


# what the solutions compute


def test_they_are_the_librarys():
    logits, targets = torch.randn(9, 5, generator=DICE), losses.sinkhorn_knopp(torch.randn(9, 5, generator=DICE), 0.3)
    close = torch.testing.assert_close
    close(solutions.sinkhorn(logits, 0.3), losses.sinkhorn_knopp(logits, 0.3))
    mask = torch.zeros(3, 2, 4, dtype=torch.bool)
    mask[0, 0], mask[2, :, 1:3], mask[2, 1, 0] = True, True, True
    close(solutions.masked_loss(logits, targets, mask), losses.masked_feature_loss(logits, targets, mask))
    views = list(torch.randn(4, 9, 5, generator=DICE))
    close(solutions.glcl(views, [targets, targets.flip(0)]), losses.global_local_loss(views, [targets, targets.flip(0)]))
    x, time = torch.randn(6, 8, generator=DICE), torch.tensor([0.0, 1, 1, 2, 5, 7])
    close(solutions.rotary(x, time), rotate(x, rotary_tables(time, 8)))


@torch.no_grad()
def test_their_layers_are_the_librarys():
    x, tables = torch.randn(2, 6, 16, generator=DICE), rotary_tables(torch.arange(6), 8)
    layer = Attention(16, 2)
    torch.testing.assert_close(solutions.attend(x, layer, lambda q: rotate(q, tables)), layer(x, tables, False)[0])
    block = Block(EncoderConfig(skeleton=COCO, width=16, heads=2))
    out = solutions.block(x, block, lambda y: solutions.attend(y, block.attn, lambda q: rotate(q, tables)))
    torch.testing.assert_close(out, block(x, tables, False)[0])
    head = losses.PrototypeHead(16, 12, 20, 8, init_std=None)
    torch.testing.assert_close(solutions.prototype_logits(x, head), head(x))


def test_knn_votes_are_the_librarys():
    gallery, queries = torch.randn(20, 6, generator=DICE), torch.randn(5, 6, generator=DICE)
    labels = torch.randint(3, (20,), generator=DICE)
    table = evaluate.Features(gallery, labels, None), evaluate.Features(queries, torch.zeros(5, dtype=torch.long), None)
    unit = [nn.functional.normalize(side, dim=1) for side in (queries, gallery)]
    votes = solutions.knn_votes(unit[0] @ unit[1].T, labels, 3, 7, 0.07)
    assert votes.argmax(dim=1).tolist() == evaluate.knn(*table, k=7).predictions.tolist()


def test_tube_masks_keep_to_the_librarys_budget():
    mask = solutions.tube_mask(8, COCO, 0.6, torch.Generator().manual_seed(0))
    assert 0 < int(mask.sum()) <= int(masking.budget(0.6, 8, len(COCO)))


@cache
def folded():
    """Name -> the function that the lessons' folded solutions define."""
    found = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        book = nbformat.read(path, as_version=4)
        for exercise in exercises.find(book):
            for name in set(SOLVED) & set(re.findall(r"^def (\w+)", exercise.solved, re.MULTILINE)):
                space = {}
                exec(exercises.imports(book), space)
                exec(exercise.solved.rpartition("\nlessons.check_")[0], space)
                found[name] = space[name]
    return found


def answers(name, function):
    """What the function gives, on inputs that are the same at every call."""
    dice = torch.Generator().manual_seed(1)
    x, logits = torch.randn(2, 3, 8, 5, generator=dice), torch.randn(6, 4, generator=dice)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        layer, head = Block(EncoderConfig(skeleton=COCO, width=8, heads=2)), losses.PrototypeHead(8, 6, 10, 4, init_std=None)
    mask = torch.zeros(2, 2, 3, dtype=torch.bool)
    mask[0, 0], mask[1, 1, 0], mask[1, 0, :2] = True, True, True
    given = {
        "patchify": (x, 4),
        "rotary": (logits, torch.arange(6.0)),
        "tube_mask": (8, COCO, 0.5, torch.Generator().manual_seed(3)),
        "sinkhorn": (logits, 0.1),
        "masked_loss": (logits, logits.softmax(1), mask),
        "knn_votes": (logits, torch.tensor([0, 1, 1, 2]), 3, 2, 0.1),
        "attend": (torch.randn(2, 3, 8, generator=dice), layer.attn, lambda q: 2 * q),
        "block": (torch.randn(2, 3, 8, generator=dice), layer, lambda y: y.flip(1)),
        "prototype_logits": (torch.randn(5, 8, generator=dice), head),
        "glcl": ([logits, 2 * logits, logits.flip(0)], [logits.softmax(1), logits.flip(1).softmax(1)]),
        "info_nce": (logits, logits.flip(1) + 1, 0.3),
        "byol": ([logits, logits + 1], [logits.flip(0), logits.flip(1)]),
    }
    if name == "follow":
        teacher = copy.deepcopy(layer).requires_grad_(False)
        student = copy.deepcopy(teacher)
        nn.init.normal_(student.norm1.weight, generator=dice)
        function(teacher, student, 0.9)
        return nn.utils.parameters_to_vector(teacher.parameters())
    return function(*given[name])


@pytest.mark.parametrize("name", SOLVED)
def test_they_are_the_lessons_folded_solutions(name):
    found = folded()
    assert name in found, f"no folded solution defines {name}"
    ours, theirs = answers(name, SOLVED[name].solution), answers(name, found[name])
    torch.testing.assert_close(theirs, ours, msg=lambda m: f"solutions.{name} is not the lesson's folded solution: {m}")
    assert list(inspect.signature(SOLVED[name].solution).parameters) == list(inspect.signature(found[name]).parameters)
