"""Points as a table for the terminal: the live replay beside the virtual one."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from chimera_bench.live.points import Point

NOTE = (
    "Live: Envoy, the picker and simulated engines over HTTP, the same tasks at the same times; latencies are seconds "
    "at the models' own speed, speed says how many times faster they were played. Live predictions are made while clients "
    "wait, workflows are found by their messages, lengths and step times are corrected as answers come, prompts are "
    "filler of about the recorded length, and every hop takes time of this machine: hence the difference."
)

HEADINGS = (
    "load",
    "seed",
    "speed",
    "mean latency s\nvirtual",
    "\nlive",
    "live over\nvirtual",
    "p95 s\nvirtual",
    "\nlive",
    "score %\nvirtual",
    "\nlive",
    "models %\nvirtual",
    "\nlive",
    "re-\ntries",
    "fall-\nbacks",
)


def points_table(points: Sequence[Point]) -> Table:
    """Return the table of a pool's points, at least one, a row for each."""
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
        result.add_row(*_cells(point))
    return result


def _cells(point: Point) -> tuple[str, ...]:
    virtual, live = point.virtual, point.live
    return (
        *(virtual.policy, f"{virtual.load:.3g}", str(virtual.seed), f"{point.speed:.3g}"),
        *(f"{virtual.latency_mean:.2f}", f"{live.latency_mean:.2f}", f"{point.latency_ratio:.3f}"),
        *(f"{virtual.latency_p95:.1f}", f"{live.latency_p95:.1f}"),
        *(f"{virtual.score * 100:.1f}", f"{live.score * 100:.1f}"),
        *("/".join(f"{share * 100:.0f}" for share in record.share.values()) for record in (virtual, live)),
        *(str(point.retries), str(point.fallbacks)),
    )
