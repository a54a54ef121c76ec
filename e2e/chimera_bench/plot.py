"""Summaries as a plot of latency against score."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from chimera_bench.report import Estimate, Summary

# Colours that stay apart in print and for colour-blind readers (Okabe and Ito 2008), and a marker each.
LOOKS = (
    ("#0072B2", "o"),
    ("#D55E00", "s"),
    ("#009E73", "^"),
    ("#CC79A7", "v"),
    ("#E69F00", "D"),
    ("#56B4E9", "P"),
    ("#000000", "X"),
)

DOTS_PER_INCH = 150


def plot(summaries: Sequence[Summary], path: Path, *, subtitle: str) -> None:
    """Write a PNG of mean latency against score, one marker for each policy.

    Raises:
        OSError: The file cannot be written.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(xscale="log")
    for summary, (colour, marker) in zip(summaries, cycle(LOOKS), strict=False):
        axes.errorbar(
            summary.latency.mean,
            summary.score.mean * 100,
            xerr=arms(summary.latency),
            yerr=arms(summary.score, scale=100),
            color=colour,
            marker=marker,
            markersize=9,
            capsize=3,
            linestyle="none",
            label=summary.policy,
        )
    axes.set_title(f"Latency against score, simulated engines\n{subtitle}", fontsize="medium")
    axes.set_xlabel("mean end-to-end latency of a workflow, seconds at the models' own speed")
    axes.set_ylabel("workflows solved, % (recorded outcomes)")
    logarithmic(axes.xaxis)
    axes.grid(visible=True, alpha=0.25)
    figure.legend(loc="outside right upper", title="mean, 95 % interval", frameon=False)
    figure.savefig(path, format="png", dpi=DOTS_PER_INCH)


def logarithmic(axis: Axis) -> None:
    """Spread an axis by ratios, with plain numbers at its ticks: a policy that overloads a model is far off."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(NullLocator())


def arms(value: Estimate, *, scale: float = 1.0) -> list[list[float]]:
    """Return how far the interval reaches below and above the mean, as matplotlib wants it."""
    return [[(value.mean - value.low) * scale], [(value.high - value.mean) * scale]]
