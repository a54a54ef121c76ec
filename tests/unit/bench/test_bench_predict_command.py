import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from chimera_cli.app import app
from chimera_router.prediction.bundle import default_bundle
from chimera_training.bundle import GRAPHS, MANIFEST, decode

runner = CliRunner()


def test_it_prints_costs_and_differences() -> None:
    """A row for each batch and number of threads, a row for each graph."""
    options = ["--batch", "1", "--batch", "16", "--threads", "1", "--threads", "2", "--bursts", "2"]

    result = runner.invoke(app, ["bench", "predict", *options])

    assert result.exit_code == 0
    assert "Microseconds a request, 10 models" in result.stdout
    assert sum(line.split()[:2] == ["default", "tfidf"] for line in result.stdout.splitlines()) == 4 + len(GRAPHS)
    assert "running medians" not in result.stdout


def test_bundles_are_compared_with_the_first(tmp_path: Path) -> None:
    """As JSON: case by case with a ratio, and what the manifests say of the graphs."""
    again = shutil.copytree(default_bundle(), tmp_path / "again")
    options = ["--bundle", str(default_bundle()), "--bundle", str(again), "--batch", "4", "--bursts", "5", "--json"]

    document = json.loads(runner.invoke(app, ["bench", "predict", *options, "--models", "3"]).stdout)

    first, second = document["microseconds_per_request"]
    assert (first["bundle"], second["bundle"]) == (str(default_bundle()), str(again))
    assert (first["encoder"], first["models"], first["batch"], first["threads"]) == ("tfidf", 3, 4, 1)
    assert first["ratio"] == 1.0
    assert second["ratio"] == pytest.approx(second["median"] / first["median"])
    differences = decode((again / MANIFEST).read_bytes()).differences
    assert document["largest_difference"] == {str(default_bundle()): differences, str(again): differences}


def test_a_folder_without_a_bundle_is_one_line_and_exit_2(tmp_path: Path) -> None:
    """The line names the file."""
    result = runner.invoke(app, ["bench", "predict", "--bundle", str(tmp_path)])

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.strip() == f"{tmp_path / MANIFEST}: the file is missing"


@pytest.mark.parametrize("options", [["--batch", "0"], ["--threads", "0"], ["--bursts", "1"], ["--models", "x"]])
def test_what_cannot_be_measured_is_refused(options: list[str]) -> None:
    """Nothing, on no thread, or too seldom."""
    assert runner.invoke(app, ["bench", "predict", *options]).exit_code == 2
