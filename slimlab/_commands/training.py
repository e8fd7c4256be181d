"""`pretrain`."""

from __future__ import annotations

import argparse
import ast
from dataclasses import fields

from slimlab._commands.shared import Command, add_data, sides, weights_of


def add(command: Command) -> None:
    """Their arguments."""
    p = command("pretrain", "Pre-train on the training side of a split.")
    add_data(p)
    p.add_argument("--preset", default="tiny", help="tiny, small or paper")
    p.add_argument("--folder", help="the run's folder (default: runs/…)")
    p.add_argument("--steps", type=int)
    p.add_argument("--minutes", type=float, help="wall minutes instead of steps")
    p.add_argument("--batch-size", type=int, help="of all processes together")
    p.add_argument("--microbatch", type=int, help="clips of a process in memory at once; the numbers stay those of the batch")
    p.add_argument("--precision", choices=["fp32", "bf16"])
    p.add_argument("--compile", action="store_true", default=None, help="translate the encoder's blocks (torch.compile)")
    p.add_argument("--seed", type=int)
    p.add_argument("--device", help="cpu, cuda, mps (default: the best there is)")
    p.add_argument("--start", metavar="WEIGHTS", help="begin with these: small, tiny, tiny-v1 (shipped), a run's folder")
    p.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="any other field of slimlab.pretrain.Config; repeatable"
    )
    p.add_argument("--fresh", action="store_true", help="start anew instead of resuming")


def pretrain(a: argparse.Namespace) -> None:
    """Pre-train on the training side of a split."""
    from slimlab import pretrain as p
    from slimlab._system import distributed

    with distributed.processes(a.device):
        train, test = sides(a)
        _say(f"pre-training on the {len(train)} clips of the training side; the {len(test)} test clips are not seen")
        _say(_fit(a, p, train))


def _say(text: object) -> None:
    """Print, once where several processes run."""
    from slimlab._system import distributed

    if distributed.rank() == 0:
        print(text)


def _fit(a: argparse.Namespace, p, train):
    given = {f.name: getattr(a, f.name) for f in fields(p.Config) if getattr(a, f.name, None) is not None}
    given |= dict(_setting(text, given) for text in a.set)
    start = weights_of(a.start, train.skeleton) if a.start else None
    return p.fit(train, p.Config(**given), folder=a.folder, resume=not a.fresh, device=a.device, start=start)


def _setting(text: str, given: dict) -> tuple[str, object]:
    """`FIELD=VALUE` of --set. What a field accepts is checked by `Config`."""
    from slimlab._renamed import RENAMED
    from slimlab.pretrain import Config

    name, equals, value = text.partition("=")
    name = RENAMED.get(name, name)
    known = [f.name for f in fields(Config)]
    if not equals or name not in known:
        raise ValueError(f"--set {text}: should be FIELD=VALUE with one of the fields {', '.join(known)}")
    if name in given and name != "preset":
        raise ValueError(f"--set {text}: --{name.replace('_', '-')} says {given[name]!r}; give one of the two")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):  # a word
        return name, value
