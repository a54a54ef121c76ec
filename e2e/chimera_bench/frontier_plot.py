"""Comparisons as a plot of latency against score: one panel for each pool and load, one line for each policy."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chimera_bench.paired import Contest, Setting, mean_frontier
from chimera_bench.plot import DOTS_PER_INCH, LOOKS, arms, logarithmic

PANELS_A_ROW = 2
PANEL_INCHES = (6.0, 4.2)
LEGEND_INCHES = 2.2

# Black is for what could not be deployed, the yellow of the same palette for what stands out.
POLICY_LOOKS = LOOKS[:-1]
REFERENCE = {"color": "#000000", "linestyle": "--", "markerfacecolor": "none"}
STANDING_OUT = {"color": "#F0E442", "marker": "*", "markersize": 15, "markeredgecolor": "#000000", "zorder": 5}


def plot_frontiers(contests: Sequence[Contest], path: Path, *, references: Sequence[str], star: str) -> None:
    """Write a PNG with a panel for each contest, of which there is at least one.

    Args:
        contests: What to draw; all seeds' means, with their 95 % intervals.
        path: Of the picture.
        references: Policies that know what nobody can.
        star: The policy whose setting stands out.

    Raises:
        OSError: The file cannot be written.
    """
    columns = min(PANELS_A_ROW, len(contests))
    rows = -(-len(contests) // columns)
    width, height = PANEL_INCHES
    figure = Figure(figsize=(columns * width + LEGEND_INCHES, rows * height), layout="constrained")
    looks = _looks(contests, references, star)
    panels = figure.subplots(rows, columns, squeeze=False).flatten().tolist()
    for axes, contest in zip(panels, contests, strict=False):
        _panel(axes, contest, looks)
    for axes in panels[len(contests) :]:
        axes.remove()
    figure.suptitle("Latency against score, simulated engines, recorded outcomes", fontsize="medium")
    handles = {text: line for axes in panels for line, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(
        list(handles.values()), list(handles), loc="outside right upper", title="mean, 95 % interval", frameon=False
    )
    figure.savefig(path, format="png", dpi=DOTS_PER_INCH)


def _looks(contests: Sequence[Contest], references: Sequence[str], star: str) -> Mapping[str, dict[str, Any]]:
    """Return each policy's colour and marker, the same in every panel; past the last look markers are open."""
    policies = dict.fromkeys(policy for contest in contests for policy in contest.policies if policy != star)
    looks: dict[str, dict[str, Any]] = {}
    for number, policy in enumerate(policies):
        again, place = divmod(number, len(POLICY_LOOKS))
        colour, marker = POLICY_LOOKS[place]
        looks[policy] = {"color": colour, "marker": marker, "linestyle": "-", "markersize": 7}
        if again:
            looks[policy] |= {"markerfacecolor": "none", "linestyle": ":"}
    for policy in set(references) & looks.keys():
        looks[policy] |= REFERENCE
    return {**looks, star: STANDING_OUT}


def _panel(axes: Axes, contest: Contest, looks: Mapping[str, dict[str, Any]]) -> None:
    for policy in contest.policies:
        _line(axes, policy, _on_frontier(contest.of(policy)), looks[policy])
    axes.set_xscale("log")
    logarithmic(axes.xaxis)
    axes.set_title(f"{contest.pool}, load {contest.load:.3g}", fontsize="medium")
    axes.set_xlabel("mean end-to-end latency of a workflow, s")
    axes.set_ylabel("workflows solved, %")
    axes.grid(visible=True, alpha=0.25)


def _on_frontier(settings: Sequence[Setting]) -> list[Setting]:
    """Return the settings that no other one beats at both, in order of latency."""
    kept = {(point.latency, point.score) for point in mean_frontier(settings)}
    placed = [(_mean(setting, "latency_mean"), _mean(setting, "score"), setting) for setting in settings]
    return [
        setting for latency, score, setting in sorted(placed, key=lambda each: each[:2]) if (latency, score) in kept
    ]


def _mean(setting: Setting, figure: str) -> float:
    return float(setting.values(lambda record: getattr(record, figure)).mean())


def _line(axes: Axes, policy: str, settings: Sequence[Setting], look: dict[str, Any]) -> None:
    latencies = [setting.over_seeds(lambda record: record.latency_mean) for setting in settings]
    scores = [setting.over_seeds(lambda record: record.score) for setting in settings]
    known = all(math.isfinite(each.low) for each in latencies)
    axes.errorbar(
        [each.mean for each in latencies],
        [each.mean * 100 for each in scores],
        xerr=_both_arms([arms(each) for each in latencies]) if known else None,
        yerr=_both_arms([arms(each, scale=100) for each in scores]) if known else None,
        capsize=2,
        linewidth=1.2,
        elinewidth=0.8,
        label=policy,
        **look,
    )


def _both_arms(each: Sequence[list[list[float]]]) -> list[list[float]]:
    """Return all lower arms, then all upper ones, as matplotlib wants them."""
    return [[low[0] for low, _ in each], [high[0] for _, high in each]]
