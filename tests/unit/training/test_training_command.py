import json
import sys
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

import chimera_cli.train as command
from chimera_cli.app import app
from chimera_training import bundle
from chimera_training.length import LEARNERS

runner = CliRunner()


def test_it_prints_the_figures_and_names_the_bundle(small_recordings: Path, tmp_path: Path) -> None:
    """Two tables of held-out figures, and where the bundle is."""
    result = runner.invoke(app, ["train", "--data", str(small_recordings), "--out", str(tmp_path / "bundle")])

    assert result.exit_code == 0
    assert "Confidence" in result.stdout
    assert "Output tokens" in result.stdout
    assert "3 models" in result.stdout
    assert (tmp_path / "bundle" / "bundle.json").exists()


def test_it_says_whose_figures_they_are(small_recordings: Path, tmp_path: Path) -> None:
    """The bundle's own, or those of a fit that had not seen all tasks."""
    options = ["train", "--data", str(small_recordings), "--out", str(tmp_path / "bundle")]

    every, some = (runner.invoke(app, [*options, *more]).stdout for more in ([], ["--held-out", "0.4"]))

    assert "figures are of an earlier fit, on 30% of the tasks that it had not seen" in every
    assert "figures are of 40% of the tasks, held out" in some


def test_a_forest_is_fitted_where_asked_for(small_recordings: Path, tmp_path: Path) -> None:
    """The last line says so, and so does the manifest."""
    out = tmp_path / "bundle"

    result = runner.invoke(app, ["train", "--data", str(small_recordings), "--out", str(out), "--lengths", "forest"])

    assert result.exit_code == 0
    assert "lengths are forest" in result.stdout
    assert json.loads((out / "bundle.json").read_text())["training"]["lengths"] == "forest"


def test_an_unknown_learner_is_refused(tmp_path: Path) -> None:
    """The error names those that there are."""
    result = runner.invoke(app, ["train", "--out", str(tmp_path / "bundle"), "--lengths", "oracle"])

    assert result.exit_code == 2
    assert "boosted" in result.stderr
    assert "forest" in result.stderr


def test_the_command_knows_the_learners_of_the_training() -> None:
    """It lists them itself, since it starts without the training packages."""
    assert get_args(command.LearnerName) == get_args(bundle.LearnerName) == tuple(LEARNERS)


@pytest.mark.parametrize("share", ["-0.1", "0.95", "nan", "x"])
def test_a_share_out_of_range_is_refused(small_recordings: Path, tmp_path: Path, share: str) -> None:
    """Between 0 and 0.9."""
    options = ["train", "--data", str(small_recordings), "--out", str(tmp_path / "bundle")]

    assert runner.invoke(app, [*options, "--held-out", share]).exit_code == 2


def test_json_is_the_manifest(small_recordings: Path, tmp_path: Path) -> None:
    """What is printed is what was written."""
    out = tmp_path / "bundle"

    result = runner.invoke(app, ["train", "--data", str(small_recordings), "--out", str(out), "--json"])

    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads((out / "bundle.json").read_text())


def test_missing_data_is_one_line_and_exit_2(tmp_path: Path) -> None:
    """The line names the file and the rule."""
    result = runner.invoke(app, ["train", "--data", str(tmp_path), "--out", str(tmp_path / "bundle")])

    assert result.exit_code == 2
    assert result.stderr.strip().splitlines() == [f"{tmp_path / 'prompt_outcomes.parquet'}: the file is missing"]


def test_a_folder_of_something_else_is_one_line_and_exit_2(small_recordings: Path) -> None:
    """Data is not overwritten by a bundle."""
    result = runner.invoke(app, ["train", "--data", str(small_recordings), "--out", str(small_recordings)])

    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert "must be empty or hold a bundle only" in result.stderr
    assert (small_recordings / "workflow_traces.parquet").exists()


def test_a_target_that_cannot_be_made_is_one_line_and_exit_2(small_recordings: Path, tmp_path: Path) -> None:
    """The operating system's reason, with the path."""
    (tmp_path / "file").touch()

    result = runner.invoke(app, ["train", "--data", str(small_recordings), "--out", str(tmp_path / "file" / "bundle")])

    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.stderr


def test_the_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image without the training packages says which extra it lacks."""
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    for name in [name for name in sys.modules if name.startswith("chimera_training.")]:
        monkeypatch.delitem(sys.modules, name)

    result = runner.invoke(app, ["train", "--out", str(tmp_path / "bundle")])

    assert result.exit_code == 2
    assert "the extra `train`" in result.stderr


def test_help_gives_an_example() -> None:
    """`chimera train --help` can be copied from."""
    result = runner.invoke(app, ["train", "--help"])

    assert result.exit_code == 0
    assert "chimera train --data" in result.stdout
