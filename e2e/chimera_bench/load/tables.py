"""A run of the bench as tables for people."""

from collections.abc import Sequence

from rich import box
from rich.table import Table

from chimera_bench.load.figures import Spread, text
from chimera_bench.load.pickers import FLOOR
from chimera_bench.load.session import Record
from chimera_bench.load.standing import Held, Idle
from chimera_bench.load.summary import Line, Summary, summarise

CAPTION = (
    "Engines are stand-ins that compute nothing; Envoy, the pickers and their predictions are real. Medians of the "
    "rounds, below them the least and the most. Added: beyond Envoy alone in the same round; the floor's row has all "
    "of its latency. CPU is the picker's own."
)


def tables(record: Record) -> list[Table]:
    """Return a table for each load, and those of what stands still."""
    found = [load_table(summary) for summary in summarise(record.measurements)]
    if record.held:
        found.append(_held(record.held))
    if record.idle:
        found.append(_idle(record.idle))
    return found


def other_load(record: Record) -> str:
    """Return in a sentence what else kept the machine busy."""
    cores = [each.other_cores for each in record.measurements] + [each.other_cores for each in record.idle]
    if not cores:
        return "nothing was measured"
    busy = Spread.of(cores)
    most = f"{text(busy.low)} to {text(busy.high)}"
    return f"Other work took {text(busy.middle)} ({most}) cores of {record.machine} meanwhile; begun {record.began}."


def load_table(summary: Summary) -> Table:
    """Return the table of one load."""
    table = _table(f"{summary.case}, {summary.mode}", "picker", "requests/s", "added\np50 ms", "p95 ms", "p99 ms")
    against = f"to {summary.base}" if summary.base else "ratio"
    for heading in ("CPU µs\na request", "RSS\nMB", "failed", f"CPU\n{against}", f"p50\n{against}"):
        table.add_column(heading, justify="right")
    for line in summary.lines:
        table.add_row(*_cells(line))
    return table


def _cells(line: Line) -> tuple[str, ...]:
    floor = line.picker == FLOOR
    latencies = line.latency if floor else line.added
    return (
        line.picker,
        _spread(line.rate),
        *([_spread(each, 1e3) for each in latencies] or ["-"] * len(line.latency)),
        "" if floor else _spread(line.picker_us),
        "" if floor else text(line.resident.high * 1e-6),
        str(line.failed),
        _ratio(line.picker_ratio),
        _ratio(line.added_ratio),
    )


def _held(record: Sequence[Held]) -> Table:
    table = _table(f"{record[0].streams} streams held open", "picker", "KB each", "RSS MB")
    for name in dict.fromkeys(each.picker for each in record):
        rounds = [each for each in record if each.picker == name]
        each_stream, all_of_it = (
            Spread.of(round_.bytes_each for round_ in rounds),
            Spread.of(r.resident for r in rounds),
        )
        table.add_row(name, _spread(each_stream, 1e-3), _spread(all_of_it, 1e-6))
    return table


def _idle(record: Sequence[Idle]) -> Table:
    table = _table(f"{record[0].endpoints} idle endpoints", "picker", "% of a core")
    for each in record:
        table.add_row(each.picker, text(100 * each.cores))
    return table


def _table(title: str, first: str, *headings: str) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1))
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _spread(spread: Spread, scale: float = 1.0) -> str:
    here = spread.scaled(scale)
    return f"{text(here.middle)}\n{text(here.low)}..{text(here.high)}"


def _ratio(value: float | None) -> str:
    return "" if value is None else text(value)
