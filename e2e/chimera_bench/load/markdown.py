"""A run of the bench as tables for a page: pickers down, loads across, medians of the rounds."""

from collections.abc import Callable, Sequence

from chimera_bench.load.cases import Closed, mode
from chimera_bench.load.figures import Spread, text
from chimera_bench.load.pickers import FLOOR
from chimera_bench.load.session import Record
from chimera_bench.load.summary import Line, Summary, summarise

Cell = Callable[[Line], str]


def markdown(record: Record) -> str:
    """Return the page's tables."""
    summaries = summarise(record.measurements)
    full = [summary for summary in summaries if isinstance(mode(summary.mode), Closed)]
    against = next((summary.base for summary in summaries if summary.base), None)
    ratios = f", and the ratio to {against}'s" if against else ""
    parts = [
        _table(f"Processor time of the picker, µs a request{ratios}", summaries, _cost),
        _table(f"Latency beyond Envoy alone, ms at p50, p95, p99{ratios} at p50", summaries, _added),
        _table("Requests a second", full, lambda line: text(line.rate.middle)),
        _table("Failed requests", summaries, lambda line: str(line.failed)),
    ]
    return "\n\n".join([*parts, *_standing(record)]) + "\n"


def _cost(line: Line) -> str:
    return "" if line.picker == FLOOR else text(line.picker_us.middle) + _ratio(line.picker_ratio)


def _added(line: Line) -> str:
    if line.picker == FLOOR:
        return f"({_at_quantiles(line.latency)})"
    return _at_quantiles(line.added) + _ratio(line.added_ratio) if line.added else ""


def _at_quantiles(spreads: Sequence[Spread]) -> str:
    return " / ".join(text(spread.middle * 1e3) for spread in spreads)


def _ratio(value: float | None) -> str:
    return "" if value is None else f" (×{text(value)})"


def _table(title: str, summaries: Sequence[Summary], cell: Cell) -> str:
    names = list(dict.fromkeys(line.picker for summary in summaries for line in summary.lines))
    headings = [f"{summary.case} {summary.mode}" for summary in summaries]
    rows = [[name, *(_of(name, summary, cell) for summary in summaries)] for name in names]
    return "\n".join([f"**{title}**", "", *_lines(["picker", *headings], rows)])


def _of(name: str, summary: Summary, cell: Cell) -> str:
    return next((cell(line) for line in summary.lines if line.picker == name), "")


def _standing(record: Record) -> list[str]:
    held = {name: [h for h in record.held if h.picker == name] for name in dict.fromkeys(h.picker for h in record.held)}
    parts = []
    if held:
        rows = [
            [name, text(Spread.of(each.bytes_each for each in rounds).middle / 1e3), text(rounds[0].resident / 1e6)]
            for name, rounds in held.items()
        ]
        title = f"**Memory with {record.held[0].streams} streams held open**"
        parts.append("\n".join([title, "", *_lines(["picker", "KB a stream", "MB in all"], rows)]))
    if record.idle:
        rows = [[each.picker, text(100 * each.cores)] for each in record.idle]
        title = f"**Processor time over {record.idle[0].endpoints} idle endpoints**"
        parts.append("\n".join([title, "", *_lines(["picker", "% of a core"], rows)]))
    return parts


def _lines(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (headings, ["---"] * len(headings), *rows)]
