"""Comparisons as tables for the terminal: every policy as it stands, and how far its frontier is from Chimera's."""

import math
from collections.abc import Iterable, Sequence

from rich import box
from rich.table import Table

from chimera_bench.paired import Contest, Setting, advantage, points, speedup
from chimera_bench.records import Record
from chimera_bench.report import Estimate

NOTE = (
    "Engines are simulated; times are seconds. Scores are recorded outcomes. Cost is parameters times output tokens, "
    "over those of the large model's runs. ± is half of a 95 % interval over seeds; comparisons are paired by seed."
)

HEADINGS = (
    "mean\nlatency s",
    "p50\ns",
    "p99\ns",
    "ms per\ntoken",
    "score\n%",
    "cost\n%",
    "models\n%",
    "times lower\nlatency",
    "points\nmore",
)


def settings_table(contest: Contest, policies: Iterable[str], *, against: str) -> Table:
    """Return a table with a row for each policy, at the first of its settings.

    Args:
        contest: Of one pool and load.
        policies: To show, at least one, all of the contest.
        against: The policy that the last two columns hold each other one against; if not played, they are empty.
    """
    first = [contest.of(policy)[0] for policy in policies]
    other = next(iter(contest.of(against)), None)
    result = _table(
        f"{contest.pool}, load {contest.load:.3g}: {_size(first[0])} of {contest.workload}",
        f"Models: {' / '.join(first[0].records[0].share)}. Last two columns: against {against}.",
        HEADINGS,
    )
    for setting in first:
        result.add_row(setting.policy, *_figures(setting), *_against(setting, other))
    for sentence in _refusals(first):
        result.caption = f"{result.caption} {sentence}"
    return result


def frontier_table(contest: Contest, ours: Sequence[Setting], others: Iterable[str]) -> Table:
    """Return a table of how far the frontier of our settings lies from that of each other policy.

    Args:
        contest: Of one pool and load.
        ours: The settings that make our frontier.
        others: Policies to hold it against.
    """
    result = _table(
        f"{contest.pool}, load {contest.load:.3g}: the frontier of {ours[0].policy} against that of others",
        "Means over the scores, or latencies, that both frontiers give, interpolated between settings.",
        ("settings", "latency at\nequal score", "extremes", "at scores\n%", "points at\nequal latency"),
    )
    for policy in others:
        theirs = contest.of(policy)
        result.add_row(policy, str(len(theirs)), *_advantage(ours, theirs))
    return result


def _table(title: str, caption: str, headings: Iterable[str]) -> Table:
    result = Table(
        title=title, caption=caption, caption_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left"
    )
    result.add_column("\npolicy", no_wrap=True)
    for heading in headings:
        result.add_column(heading, justify="right", no_wrap=True)
    return result


def _size(setting: Setting) -> str:
    seeds = len(setting.records)
    return f"{setting.records[0].workflows} workflows × {seeds} seed{'s' if seeds > 1 else ''}"


def _figures(setting: Setting) -> Iterable[str]:
    def mean(figure: str, scale: float = 1.0, digits: int = 1) -> str:
        return f"{setting.over_seeds(lambda record: getattr(record, figure)).mean * scale:.{digits}f}"

    return (
        shown(setting.over_seeds(lambda record: record.latency_mean)),
        mean("latency_p50"),
        mean("latency_p99"),
        mean("latency_per_token", 1e3),
        shown(setting.over_seeds(lambda record: record.score), scale=100),
        mean("cost", 100, 0),
        _shares(setting.records),
    )


def _shares(records: Sequence[Record]) -> str:
    means = (sum(record.share[model] for record in records) / len(records) for model in records[0].share)
    return "/".join(f"{mean * 100:.0f}" for mean in means)


def _against(setting: Setting, other: Setting | None) -> Iterable[str]:
    if other is None or setting is other:
        return "", ""
    return shown(speedup(setting, other), digits=2), shown(points(setting, other), scale=100, sign="+")


def _advantage(ours: Sequence[Setting], theirs: Sequence[Setting]) -> Iterable[str]:
    found = advantage(ours, theirs)
    score = "faster" if found.score is None else shown(found.score, scale=100, sign="+")
    if found.latency is None:
        return "not reached", "", "", score
    extremes = f"{_percent(found.least)} to {_percent(found.most)}"
    scores = " to ".join(f"{score * 100:.1f}" for score in dict.fromkeys(found.scores))
    return f"{_percent(found.latency.mean)} % {_reach(found.latency, scale=100, digits=0)}", extremes, scores, score


def _percent(ratio: float) -> str:
    return f"{(ratio - 1) * 100:+.0f}"


def shown(value: Estimate, *, scale: float = 1.0, digits: int = 1, sign: str = "") -> str:
    """Return a figure and half of its interval; one seed has none."""
    return f"{value.mean * scale:{sign}.{digits}f} {_reach(value, scale=scale, digits=digits)}".rstrip()


def _reach(value: Estimate, *, scale: float, digits: int) -> str:
    reach = (value.high - value.low) / 2 * scale
    return f"±{reach:.{digits}f}" if math.isfinite(reach) else ""


def _refusals(settings: Iterable[Setting]) -> Iterable[str]:
    for setting in settings:
        if refused := sum(record.rejected for record in setting.records):
            yield f"Under {setting.policy} {refused} workflows were refused in all; they count as unsolved."
