"""Points as a table for the terminal: a row in virtual time, and under it what real servers made of the same."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from chimera_bench.live.points import Point
from chimera_bench.records import Record

NOTE = (
    "Live is Envoy, the picker and simulated engines over HTTP, faster than real by the factor shown; tasks and times "
    "of arrival are the same, latencies are seconds at the models' own speed. Only live, predictions are made "
    "while clients wait, workflows are found by their messages, lengths and step times are corrected as answers come, "
    "prompts are filler of about the recorded length, and every hop takes time of this machine."
)

HEADINGS = (
    "load",
    "seed",
    "replay",
    "mean\nlatency s",
    "live over\nvirtual",
    "p95\ns",
    "score\n%",
    "models\n%",
    "re-\ntries",
    "fall-\nbacks",
)


def points_table(points: Sequence[Point]) -> Table:
    """Return the table of a pool's points, at least one."""
    first = points[0].virtual
    result = Table(
        title=f"{first.pool}: {first.workflows} workflows of {first.workload}",
        caption=f"Models: {' / '.join(first.share)}.",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title_justify="left",
    )
    result.add_column("\npolicy", no_wrap=True)
    for heading in HEADINGS:
        result.add_column(heading, justify="right", no_wrap=True)
    for point in points:
        virtual = point.virtual
        cell = (virtual.policy, f"{virtual.load:.3g}", str(virtual.seed))
        result.add_row(*cell, "virtual", *_figures(virtual, ""))
        live = _figures(point.live, f"{point.latency_ratio:.3f}")
        result.add_row("", "", "", f"live, {point.speed:.3g}x", *live, str(point.retries), str(point.fallbacks))
    return result


def _figures(record: Record, ratio: str) -> tuple[str, ...]:
    return (
        *(f"{record.latency_mean:.2f}", ratio, f"{record.latency_p95:.1f}", f"{record.score * 100:.1f}"),
        "/".join(f"{share * 100:.0f}" for share in record.share.values()),
    )
