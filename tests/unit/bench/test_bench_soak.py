"""What is made of a soak's readings."""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from chimera_bench.soak.__main__ import readings_table, verdicts
from chimera_bench.soak.plot import plot
from chimera_bench.soak.readings import Reading, growth
from chimera_bench.soak.run import WORKFLOWS, Soaked


def readings(*resident: int, workflows: int = 100) -> list[Reading]:
    """Return one for every thousand requests."""
    return [Reading(requests=1000 * number, resident=size, workflows=workflows) for number, size in enumerate(resident)]


def soaked(**changes: Any) -> Soaked:
    fields: dict[str, Any] = {
        "readings": readings(100, 100, 100, 101),
        "sent": {"1 KB": 4000},
        "failed": {},
        "reloads": {"applied": 3.0, "refused": 1.0},
        "streams": 0.0,
        "tokens": 1e-12,
    }
    return Soaked(**{**fields, **changes})


def test_growth_is_of_the_last_half_alone() -> None:
    """What was taken at the beginning is not counted."""
    assert growth(readings(50, 90, 100, 100, 100)) == pytest.approx(0.0)
    assert growth(readings(100, 100, 100, 105, 110)) == pytest.approx(0.1)


def test_growth_looks_at_the_line_and_not_at_one_reading() -> None:
    """A request that is just being served is no leak."""
    assert abs(growth(readings(100, 100, 100, 101, 99, 101, 99, 101, 100))) < 0.01


def test_growth_of_too_few_readings_is_nothing() -> None:
    """One is no line."""
    assert growth(readings(100)) == 0.0


@pytest.mark.parametrize(
    "changes",
    [
        {"readings": readings(100, 100, 100, 110)},
        {"streams": 1.0},
        {"tokens": 5.0},
        {"failed": {"stream: 500": 1}},
        {"readings": readings(100, 100, workflows=WORKFLOWS + 1)},
    ],
    ids=["memory grows", "a stream stays", "tokens stay", "a request fails", "the table grows"],
)
def test_whatever_stays_behind_is_told(changes: dict[str, Any]) -> None:
    """Each of them alone is enough."""
    assert soaked().passed
    assert not soaked(**changes).passed


def test_tables_show_what_was_found(tmp_path: Path) -> None:
    """Memory over requests and every rule, as tables, JSON and a picture."""
    console = Console(width=100)
    with console.capture() as capture:
        console.print(readings_table(soaked()), verdicts(soaked()))
    shown = capture.get()
    plot(soaked().readings, tmp_path / "soak.png")

    assert "+1.0" in shown
    assert "4000 1 KB" in shown
    assert json.loads(json.dumps(soaked().document()))["passed"]
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")
