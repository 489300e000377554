"""`python -m neuropytree`: the demonstration network, and what is installed."""

import argparse
import importlib.metadata
import importlib.util
import math
import os
import platform
import sys
from pathlib import Path
from typing import NoReturn


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, and exit status 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def _positive(text: str) -> float:
    try:
        x = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
    if not (math.isfinite(x) and x > 0):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return x


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**31 - 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2^31 - 2")
    return int(text)


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line and runs the command."""
    parser = _Parser(prog="neuropytree", description="Brain dynamics and spiking networks as plain JAX pytrees.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser)
    demo = commands.add_parser(
        "demo", help="simulate the E/I network of conductance-based LIF neurons and draw its raster"
    )
    demo.add_argument("--scale", type=_positive, default=1.0, help="times 4000 neurons (default 1)")
    demo.add_argument("--duration", type=_positive, default=1000.0, help="ms of simulated time (default 1000)")
    demo.add_argument("--dt", type=_positive, default=0.1, help="step in ms (default 0.1)")
    demo.add_argument("--seed", type=_seed, default=0, help="of connectivity and initial state (default 0)")
    demo.add_argument("--out", type=Path, default=Path("neuropytree-demo.png"), help="the picture, PNG")
    demo.add_argument(
        "--impl", choices=["auto", "taichi", "reference"], default="auto", help="implementation of the operators"
    )
    commands.add_parser("info", help="versions, devices, and whether the compiled kernels work")
    options = parser.parse_args(arguments)
    if options.command == "info":
        info()
    else:
        _demo(demo, options)


def _memory() -> float:
    """GiB of memory of this machine; no limit where it isn't told."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    except (AttributeError, OSError, ValueError):
        return math.inf


def _demo(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        parser.error("the figure needs Matplotlib: pip install 'neuropytree[viz]'")
    out: Path = options.out
    if out.suffix.lower() != ".png":
        parser.error(f"--out is {out}; expected a name that ends in .png")
    if not out.resolve().parent.is_dir() or out.is_dir():
        parser.error(f"--out is {out}; there is no folder to write it in")
    if 320_000 * options.scale >= 2**31:
        parser.error(f"--scale {options.scale:g} makes more than 2^31 - 1 synapses")
    if round(800 * options.scale) < 1:
        parser.error(f"--scale {options.scale:g} leaves a population without neurons; at least 0.001 is needed")
    fresh = not out.exists()
    try:
        with out.open("ab"):
            pass
    except OSError as error:
        parser.error(f"--out is {out}; it can't be written ({error.strerror})")
    if fresh:
        out.unlink()
    from ._check import whole_steps
    from ._demo import SHOWN, demo
    from .ops import implementation

    try:
        n_steps = whole_steps(options.duration, options.dt)
        # measured: 25 bytes a synapse while they are drawn; one byte for each neuron and step of the raster
        needed, memory = (25 * 320_000 * options.scale + SHOWN * n_steps) / 2**30, _memory()
        if needed > memory:
            raise ValueError(f"this run needs about {needed:.0f} GiB of memory, and this machine has {memory:.0f}")
        implementation(options.impl)
    except ValueError as error:
        parser.error(str(error))
    demo(
        scale=options.scale,
        duration=options.duration,
        dt=options.dt,
        seed=options.seed,
        out=out,
        impl=options.impl,
    )


def info() -> None:
    """Prints what is installed, which devices there are, and whether the compiled kernels work."""
    import jax

    from .ops import kernel_report

    print(f"python       {platform.python_version()} on {platform.system()} {platform.machine()}")
    for package in (
        "neuropytree",
        "jax",
        "jaxlib",
        "equinox",
        "diffrax",
        "optax",
        "numpy",
        "taichi",
        "llvmlite",
        "matplotlib",
    ):
        try:
            print(f"{package:<12} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            print(f"{package:<12} not installed")
    print(f"devices      {', '.join(str(d) for d in jax.devices())}")
    for heading, text in kernel_report():
        print(f"{heading:<12} {text}")


if __name__ == "__main__":
    main(sys.argv[1:])
