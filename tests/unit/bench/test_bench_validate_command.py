"""`chimera bench validate`: what it prints, and how it ends."""

import json

import pytest
from typer.testing import CliRunner, Result

from chimera_bench.validation.published import POINTS
from chimera_bench.validation.queues import CASES
from chimera_cli.app import app

runner = CliRunner()

# Enough for the machinery; queues so short do not meet their closed forms.
FEW = ("--requests", "50")


@pytest.fixture(scope="module")
def shown() -> Result:
    return runner.invoke(app, ["bench", "validate", *FEW])


@pytest.fixture(scope="module")
def document() -> list[dict[str, object]]:
    loaded: list[dict[str, object]] = json.loads(runner.invoke(app, ["bench", "validate", *FEW, "--json"]).stdout)
    return loaded


def test_json_is_a_list_of_checks(document: list[dict[str, object]]) -> None:
    """Every published point and every class of every queue, with how far off it is and whether that is allowed."""
    rates = sum(point.rate is not None for point in POINTS)

    assert len(document) == len(POINTS) + rates + sum(case.classes for case in CASES)
    for check in document:
        assert list(check) == ["case", "figure", "known", "simulated", "tolerance", "off", "holds"]
        assert check["holds"] == (abs(float(str(check["off"]))) <= float(str(check["tolerance"])))


def test_the_table_says_what_does_not_hold(shown: Result, document: list[dict[str, object]]) -> None:
    """One row a check."""
    rows = [line.split() for line in shown.stdout.splitlines() if "±" in line]

    assert [row[-1] for row in rows] == ["yes" if check["holds"] else "no" for check in document]


def test_a_figure_that_is_off_fails_the_command(shown: Result, document: list[dict[str, object]]) -> None:
    """So that a script can ask."""
    assert not all(check["holds"] for check in document)
    assert shown.exit_code == 1


def test_help_has_an_example() -> None:
    """And says what the exit status means."""
    text = " ".join(runner.invoke(app, ["bench", "validate", "--help"]).stdout.split())

    assert "chimera bench validate --json" in text
    assert "exit status is 1" in text


def test_no_requests_are_refused() -> None:
    """There is nothing to simulate."""
    assert runner.invoke(app, ["bench", "validate", "--requests", "0"]).exit_code == 2
