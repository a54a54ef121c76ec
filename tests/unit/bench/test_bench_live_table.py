"""How a point is shown: a row in virtual time, one live."""

from pathlib import Path

import pytest
from bench_records import a_record
from rich.console import Console

from chimera_bench.live.points import Point
from chimera_bench.live.table import points_table

POINT = Point(
    virtual=a_record(latency=10.0, score=0.5),
    live=a_record(latency=11.0, score=0.52, share={"small": 0.2, "large": 0.8}),
    speed=0.7125,
    retries=3,
    fallbacks=2,
)


def rows(*points: Point) -> list[list[str]]:
    console = Console(width=120, record=True, file=Path("/dev/null").open("w"))  # noqa: SIM115 - the console's to keep
    with console.file:
        console.print(points_table(points))
        return [line.split() for line in console.export_text().splitlines()]


def test_both_replays_stand_under_each_other() -> None:
    """With the figures that are compared, and on the live row how far it is off and how fast it was played."""
    shown = rows(POINT)

    assert ["chimera", "0.85", "0", "virtual", "10.00", "20.0", "50.0", "25/75"] in shown
    assert ["live,", "0.713x", "11.00", "1.100", "22.0", "52.0", "20/80", "3", "2"] in shown


def test_every_point_has_its_rows() -> None:
    """One after the other, under one heading."""
    shown = rows(POINT, POINT)

    assert sum("virtual" in row for row in shown if "chimera" in row) == 2
    assert ["Models:", "small", "/", "large."] in shown


def test_json_has_both_records_and_the_ratio() -> None:
    """In the published schema of a record."""
    plain = POINT.as_json()

    assert plain["latency_ratio"] == pytest.approx(1.1)
    assert (plain["virtual"], plain["live"]) == (POINT.virtual.as_json(), POINT.live.as_json())
    assert (plain["speed"], plain["retries"], plain["fallbacks"]) == (0.7125, 3, 2)
