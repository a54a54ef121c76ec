"""Measurements of several rounds, put together by load and picker, and held against a floor and a base."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chimera_bench.load.figures import QUANTILES, Spread, ratio
from chimera_bench.load.measurement import Measurement
from chimera_bench.load.pickers import FLOOR, GO

Rounds = Mapping[str, Sequence[Measurement]]
"""The rounds of one load, by picker."""

_PLACES = range(len(QUANTILES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One picker under one load. Seconds and microseconds as in `Measurement`.

    Attributes:
        added: Latency beyond Envoy alone in the same round, at `QUANTILES`; empty where Envoy alone was not measured.
        added_ratio: At the median, to the base's; None where there is none.
        picker_ratio: Of processor time, to the base's.
    """

    picker: str
    rate: Spread
    latency: tuple[Spread, ...]
    added: tuple[Spread, ...]
    picker_us: Spread
    resident: Spread
    failed: int
    added_ratio: float | None
    picker_ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All pickers under one load.

    Attributes:
        base: The picker that ratios are to; None where there is none.
    """

    case: str
    mode: str
    base: str | None
    lines: Sequence[Line]


def summarise(measurements: Sequence[Measurement]) -> list[Summary]:
    """Return a summary for each load, in the order in which they were measured."""
    return [_summary(case, mode, measurements) for case, mode in dict.fromkeys((m.case, m.mode) for m in measurements)]


def base(names: Iterable[str]) -> str | None:
    """Return the picker to hold others against: the Go picker, else the first over grpc; None where neither ran."""
    found = [name for name in names if name == GO or name.startswith("grpc")]
    return min(found, key=lambda name: name != GO, default=None)


def _summary(case: str, mode: str, measurements: Sequence[Measurement]) -> Summary:
    here = [each for each in measurements if (each.case, each.mode) == (case, mode)]
    rounds = {name: [m for m in here if m.picker == name] for name in dict.fromkeys(m.picker for m in here)}
    chosen = base(rounds)
    return Summary(case=case, mode=mode, base=chosen, lines=[_line(name, rounds, chosen) for name in rounds])


def _line(name: str, rounds: Rounds, chosen: str | None) -> Line:
    own, others = rounds[name], rounds.get(chosen or "", ())
    more, theirs = _added(own, rounds), _added(others, rounds)
    cost = _spread(own, "picker_us")
    return Line(
        picker=name,
        rate=_spread(own, "rate"),
        latency=tuple(Spread.of(each.latency[place] for each in own) for place in _PLACES),
        added=more,
        picker_us=cost,
        resident=_spread(own, "resident"),
        failed=sum(each.failed for each in own),
        added_ratio=ratio(more[0].middle, theirs[0].middle) if more and theirs else None,
        picker_ratio=ratio(cost.middle, _spread(others, "picker_us").middle) if others and name != FLOOR else None,
    )


def _added(own: Sequence[Measurement], rounds: Rounds) -> tuple[Spread, ...]:
    """Return latencies beyond the floor's; it is there in every round, or in none."""
    pairs = list(zip(own, rounds.get(FLOOR, ()), strict=False))
    if not pairs or own[0].picker == FLOOR:
        return ()
    return tuple(Spread.of(each.latency[place] - floor.latency[place] for each, floor in pairs) for place in _PLACES)


def _spread(measurements: Sequence[Measurement], figure: str) -> Spread:
    return Spread.of(getattr(each, figure) for each in measurements)
