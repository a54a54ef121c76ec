"""A run of the bench as a picture: processor time and added latency by load and picker."""

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chimera_bench.load.figures import Spread
from chimera_bench.load.pickers import FLOOR
from chimera_bench.load.summary import Line, Summary
from chimera_bench.plot import DOTS_PER_INCH, LOOKS

Figured = Callable[[Line], Spread | None]

_LEAST_US = 10  # where the axis begins: below what any picker takes
_WIDTH = 0.8  # of all bars of a load, as a share of its place


def plot(summaries: Sequence[Summary], path: Path) -> None:
    """Write a PNG, with a bar for each picker under each load.

    Raises:
        OSError: The file cannot be written.
    """
    figure = Figure(figsize=(9, 7), layout="constrained")
    cost, latency = figure.subplots(2, 1)
    _draw(cost, summaries, _cost, "picker's processor time, µs a request")
    cost.set(yscale="log", ylim=(_LEAST_US, None))
    _draw(latency, summaries, _added_ms, "p50 beyond Envoy alone, ms")
    figure.legend(*cost.get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    figure.savefig(path, format="png", dpi=DOTS_PER_INCH)


def _draw(axes: Axes, summaries: Sequence[Summary], figure: Figured, label: str) -> None:
    names = list(dict.fromkeys(line.picker for summary in summaries for line in summary.lines if line.picker != FLOOR))
    width = _WIDTH / max(1, len(names))
    for number, (name, (colour, _)) in enumerate(zip(names, cycle(LOOKS), strict=False)):
        found = {place: _spread(summary, name, figure) for place, summary in enumerate(summaries)}
        bars = {place: spread for place, spread in found.items() if spread is not None}
        places = [place + (number - (len(names) - 1) / 2) * width for place in bars]
        heights = [spread.middle for spread in bars.values()]
        arms = [[s.middle - s.low for s in bars.values()], [s.high - s.middle for s in bars.values()]]
        axes.bar(places, heights, width, yerr=arms, capsize=2, color=colour, label=name)
    axes.set_xticks(range(len(summaries)), [f"{summary.case}\n{summary.mode}" for summary in summaries])
    axes.set_ylabel(label)
    axes.grid(visible=True, axis="y", alpha=0.25)


def _spread(summary: Summary, name: str, figure: Figured) -> Spread | None:
    return next((figure(line) for line in summary.lines if line.picker == name), None)


def _cost(line: Line) -> Spread:
    return line.picker_us


def _added_ms(line: Line) -> Spread | None:
    return line.added[0].scaled(1e3) if line.added else None
