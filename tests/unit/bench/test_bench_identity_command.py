"""`chimera bench identity` on the package's own data, and what it refuses."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from chimera_bench.identification.habits import Rates
from chimera_cli.app import app
from chimera_training.data import WORKFLOW_TRACES

runner = CliRunner()


def identity(*arguments: object) -> Result:
    return runner.invoke(app, ["bench", "identity", *map(str, arguments)])


def test_json_holds_what_was_asked_and_what_was_found() -> None:
    """Nothing else is on standard output; rates not named keep their defaults."""
    report = json.loads(identity("--json", "--workflows", 20, "--rate", 5, "--edited", 0).stdout)

    assert Rates(**report["rates"]) == Rates(edited=0.0)
    assert (report["workflows"], report["workflows_per_second"], report["seeds"]) == (20, 5.0, 1)
    assert report["figures"][0]["kind"] == "all"
    assert {"requests", "linked", "right", "due", "precision", "recall"} < report["figures"][0].keys()


def test_each_share_is_its_own_option() -> None:
    """None is taken for another."""
    shares = {name: number / 10 for number, name in enumerate((field.name for field in fields(Rates)), 1)}
    options = [part for name, share in shares.items() for part in (f"--{name}", share)]

    report = json.loads(identity("--json", "--workflows", 2, *options).stdout)

    assert report["rates"] == shares


def test_seeds_add_up() -> None:
    """Two seeds have about twice the requests of one, and the same figures when asked again."""
    (one, two, again) = (
        json.loads(identity("--json", "--workflows", 20, "--seeds", seeds).stdout)["figures"] for seeds in (1, 2, 2)
    )

    assert one[0]["requests"] < two[0]["requests"]
    assert two == again


def test_it_prints_a_table() -> None:
    """One row a kind of client, all of them first."""
    lines = identity("--workflows", 20).stdout.splitlines()

    assert lines[0].split() == ["Workflows", "found", "without", "headers"]
    assert "precision" in lines[2]
    assert lines[4].split()[0] == "all"


def test_help_has_an_example() -> None:
    """With the options that it takes."""
    text = " ".join(identity("--help").stdout.split())

    assert "chimera bench identity --workflows 2000 --seeds 5 --edited 1" in text


def test_missing_data_is_one_line_and_exit_2(tmp_path: Path) -> None:
    """The line names the file."""
    result = identity("--data", tmp_path)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.strip() == f"{tmp_path / WORKFLOW_TRACES}: the file is missing"


@pytest.mark.parametrize("options", [["--edited", "1.5"], ["--seeds", "0"], ["--workflows", "0"], ["--rate", "0"]])
def test_what_cannot_be_measured_is_refused(options: list[str]) -> None:
    """More than everybody, or nothing."""
    assert identity(*options).exit_code == 2
