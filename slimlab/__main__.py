"""The command line, `slimlab …` or `python -m slimlab …`: every command is a few calls of the library."""

from __future__ import annotations

import argparse
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from slimlab import __version__
from slimlab._commands import judging, models, pictures, recordings, tables, training
from slimlab._extras import MissingExtra, require


def main(argv: list[str] | None = None) -> int:
    """Run a command; the exit status: 1 after a complaint about input, 2 a wrong command line, 130 Ctrl-C, 143 SIGTERM."""
    arguments = _parser().parse_args(_joined(sys.argv[1:] if argv is None else argv))
    try:
        with _warnings_as_sentences(arguments.command):
            return COMMANDS[arguments.command](arguments) or 0
    except (ValueError, OSError, RuntimeError, FloatingPointError, MemoryError, ModuleNotFoundError) as error:
        if arguments.debug:
            raise
        text = str(error) or ("out of memory" if isinstance(error, MemoryError) else type(error).__name__)
        if isinstance(error, ModuleNotFoundError) and not isinstance(error, MissingExtra):
            text += "; slimlab doctor says what is missing and how to install it"
        print(f"slimlab {arguments.command}: {text}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, SystemExit) as ended:  # Ctrl-C, and what `slimlab._system.signals` makes of SIGTERM
        status = 130 if isinstance(ended, KeyboardInterrupt) else ended.code
        if status not in (130, 143):
            raise
        print(f"\nstopped{_how_to_resume(arguments)}", file=sys.stderr)
        return int(status)


@contextmanager
def _warnings_as_sentences(command: str) -> Iterator[None]:
    """Our warnings look like our complaints, and each is said once; those of other libraries stay as they are."""
    said: set[str] = set()
    with warnings.catch_warnings():
        other = warnings.showwarning

        def show(message, category, *where, **more) -> None:
            text = str(message)
            if category is not UserWarning:
                other(message, category, *where, **more)
            elif text not in said:
                said.add(text)
                print(f"slimlab {command}: {text}", file=sys.stderr)

        warnings.showwarning = show
        yield


def _joined(argv: list[str]) -> list[str]:
    """`--up -y` as `--up=-y`: argparse takes what begins with a minus for an option."""
    out: list[str] = []
    for word in argv:
        if out and out[-1] == "--up" and word in ("-x", "-y", "-z"):
            out[-1] = f"--up={word}"
        else:
            out.append(word)
    return out


def _how_to_resume(a: argparse.Namespace) -> str:
    """What the same command would do after Ctrl-C."""
    if a.command == "pretrain":
        again = "the same command without --fresh" if a.fresh else "the same command"
        return f"; {again} goes on from the run's last checkpoint"
    if a.command == "convert":
        return "; the same command goes on where the conversion was stopped"
    return "" if a.command in ("doctor", "lab", "cost") else "; the same command begins anew"


def doctor(_: argparse.Namespace) -> int:
    """Versions, device, what is missing and the remedy."""
    from slimlab._system import doctor as d

    return d.report()


def lab(a: argparse.Namespace) -> int:
    """JupyterLab on a notebook."""
    require("notebook", "the lessons", "jupyterlab")
    return subprocess.call([sys.executable, "-m", "jupyter", "lab", a.notebook])


COMMANDS: dict[str, Callable[[argparse.Namespace], int | None]] = {
    "doctor": doctor,
    "lab": lab,
    "convert": recordings.convert,
    "export": recordings.export,
    "report": recordings.report,
    "pretrain": training.pretrain,
    "evaluate": judging.evaluate,
    "robustness": judging.robustness,
    "embed": models.embed,
    "export-model": models.export_model,
    "predict": models.predict,
    "stream": models.stream,
    "animate": pictures.animate,
    "figures": pictures.figures,
    "cost": tables.cost,
    "paper": tables.paper,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="slimlab", description="Workbench for SLiM on skeleton motion.")
    parser.add_argument("--version", action="version", version=f"slimlab {__version__}")
    parser.add_argument("--debug", action="store_true", help="show where an error was raised (before the command's name)")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text)

    command("doctor", "Versions, device, what is missing and the remedy.")
    p = command("lab", "Open JupyterLab on a notebook.")
    p.add_argument("notebook", nargs="?", default="notebooks/00_quickstart.ipynb")
    for part in (recordings, training, judging, models, pictures, tables):
        part.add(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
