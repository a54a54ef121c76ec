"""Summaries as a table for the terminal, 80 columns wide."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from chimera_bench.report import Estimate, Summary

CAPTION = (
    "Engines are simulated; times are seconds at the models' own speed. Scores are recorded outcomes: whether the "
    "model that answered last solved the task when it was measured. ± is half of a 95 % bootstrap interval."
)

HEADINGS = (
    "mean\nlatency s",
    "p50\ns",
    "p95\ns",
    "ms per\ntoken",
    "score\n%",
    "models\n%",
    "stages\nkept",
    "re-\ntries",
)


def table(summaries: Sequence[Summary]) -> Table:
    """Return the table, one row for each policy; there is at least one."""
    order = " / ".join(summaries[0].share)
    result = Table(
        title=f"{summaries[0].workflows} workflows, the same arrivals for each policy",
        caption=" ".join([CAPTION, f"Models: {order}.", *_losses(summaries)]),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=0,
    )
    result.add_column("\npolicy", no_wrap=True)
    for heading in HEADINGS:
        result.add_column(heading, justify="right", no_wrap=True)
    for summary in summaries:
        result.add_row(*_cells(summary))
    return result


def _cells(summary: Summary) -> tuple[str, ...]:
    return (
        summary.policy,
        _interval(summary.latency),
        f"{summary.p50:.1f}",
        f"{summary.p95:.1f}",
        f"{summary.latency_per_token * 1e3:.1f}",
        _interval(summary.score, scale=100),
        "/".join(f"{share * 100:.0f}" for share in summary.share.values()),
        f"{summary.kept_stages}/{summary.later_stages}",
        str(summary.retries),
    )


def _losses(summaries: Sequence[Summary]) -> list[str]:
    return [
        f"Under {summary.policy} {summary.given_up} workflows were given up after failed requests; they are unsolved."
        for summary in summaries
        if summary.given_up
    ]


def _interval(value: Estimate, *, scale: float = 1.0) -> str:
    return f"{value.mean * scale:.1f} ±{(value.high - value.low) / 2 * scale:.1f}"
