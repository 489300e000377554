"""`python -m benchmarks coba | cells | ops | random | overhead | accuracy | setup | docs`; see docs/benchmarks.md."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterable

from . import _accuracy, _cells, _coba, _draws, _environments, _overhead
from .ops import _command as ops

MEASURING = {"coba": _coba, "cells": _cells, "ops": ops, "random": _draws, "overhead": _overhead, "accuracy": _accuracy}


def main() -> int:
    """Reads the command line and returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for module in MEASURING.values():
        module.add_parser(commands, _one_of)
    setup = commands.add_parser("setup", help="make the peers' virtual environments")
    sets = _one_of(_environments.SETS)
    setup.add_argument(
        "sets", nargs="*", type=sets, metavar="SET", help=f"{', '.join(_environments.SETS)}; default all"
    )
    commands.add_parser("docs", help="measure nothing: tables and figure of the documentation, from docs/data")

    options = parser.parse_args()
    for scale in getattr(options, "scale", ()):
        # 80 targets a neuron on average: with fewer neurons than that there is no such network.
        if scale * 4000 < 100:
            parser.error(f"--scale {scale:g} is a network of {scale * 4000:.0f} neurons; it needs at least 100")
    if getattr(options, "repeats", 1) < 1:
        parser.error("--repeats must be at least 1")
    if options.command in MEASURING:
        return MEASURING[options.command].run(options)
    return {"setup": _setup, "docs": _docs}[options.command](options)


def _one_of(known: Iterable[str]) -> Callable[[str], str]:
    """An argument's type: one of some names. (`choices` would refuse an empty list where none need be given.)"""

    def convert(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(f"unknown name '{text}'; there are {', '.join(known)}")
        return text

    return convert


def _setup(options: argparse.Namespace) -> int:
    failed = False
    for name in options.sets or _environments.SETS:
        print(f"{name}: ", end="", flush=True)
        try:
            print("made" if _environments.make(name) else "already there")
        except (RuntimeError, subprocess.CalledProcessError) as error:
            print(f"failed: {error}")
            failed = True
    print(f"environments are in {_environments.root()}")
    return int(failed)


def _docs(options: argparse.Namespace) -> int:
    del options
    for module in MEASURING.values():
        module.page()
    return 0


if __name__ == "__main__":
    sys.exit(main())
