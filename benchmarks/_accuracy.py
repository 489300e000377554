"""`python -m benchmarks accuracy`: spike times of cells with channels, by scheme and step, against SciPy's LSODA."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable

from . import _documents

#: The table that the figure is drawn from, and the figure.
TABLE, FIGURE = "accuracy", _documents.DOCS / "images" / "accuracy.svg"


def add_parser(commands, one_of: Callable[[Iterable[str]], Callable[[str], str]]) -> None:
    """Adds the command to those of `python -m benchmarks`."""
    del one_of
    parser = commands.add_parser("accuracy", help="spike times of cells with channels, by scheme and step: minutes")
    parser.add_argument("--write", action="store_true", help=_documents.WRITE)


def run(options: argparse.Namespace) -> int:
    """The command: the exit status."""
    import jax

    jax.config.update("jax_enable_x64", True)
    from . import accuracy

    rows = accuracy.measured()
    if options.write:
        _documents.write(TABLE, rows)
        page()
    return 0


def page() -> None:
    """Draws the figure from the table, one panel for each cell; other numbers of spikes are crosses at the top."""
    import matplotlib.pyplot as plt

    rows = _documents.read(TABLE)
    cells = list(dict.fromkeys(row["cell"] for row in rows))
    colours = {"neuropytree": "#0072b2", "neuropytree, order 1": "#56b4e9"}
    colours |= {"NEURON's scheme": "#d55e00", "Brian2's scheme": "#009e73"}
    # text stays text; and the same table gives the same file
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "accuracy", "font.sans-serif": ["DejaVu Sans"]}):
        figure, axes = plt.subplots(2, 4, figsize=(12, 5.6), sharex=True, sharey=True, layout="constrained")
        for name, ax in zip(cells, axes.flat, strict=False):
            for scheme, colour in colours.items():
                mine = [row for row in rows if (row["cell"], row["scheme"]) == (name, scheme)]
                right = [(float(row["dt"]), float(row["error"])) for row in mine if row["error"]]
                wrong = [float(row["dt"]) for row in mine if not row["error"]]
                ax.loglog(*zip(*right, strict=True) if right else ([], []), "o-", color=colour, ms=4, label=scheme)
                ax.plot(wrong, [100.0] * len(wrong), "x", color=colour)
            ax.set_title(name, fontsize=10)
            ax.xaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_major_formatter("{x:g}")
            ax.minorticks_off()
            ax.grid(alpha=0.3)
        for ax in axes[1]:
            ax.set_xlabel("dt (ms)")
        for ax in axes[:, 0]:
            ax.set_ylabel("error of spike times (ms)")
        axes.flat[3].tick_params(labelbottom=True)
        axes.flat[-1].axis("off")
        handles, labels = axes.flat[len(cells) - 1].get_legend_handles_labels()
        axes.flat[-1].legend(handles, labels, loc="center", title="× another number of spikes")
        figure.savefig(FIGURE, metadata={"Date": None})
        plt.close(figure)
