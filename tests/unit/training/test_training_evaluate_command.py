import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from recordings import prompt_rows, workflow_rows, write_recordings
from typer.testing import CliRunner, Result

from chimera_bench.recorded_predictions import predict_examples, read_unseen_examples
from chimera_cli.app import app
from chimera_router.prediction.bundle import default_bundle, read_bundle
from chimera_training.data import PROMPT_OUTCOMES, WORKFLOW_TRACES, recorded_folder
from chimera_training.pipeline import train
from chimera_training.split import held_out

runner = CliRunner()

POOL_KEYS = {
    *("auc_mean", "auc", "brier", "brier_constant", "ece", "apgr"),
    *("argmax_score", "best_single_score", "oracle_score", "n"),
    *("auc_mean_interval", "brier_interval"),
}
TOKEN_KEYS = {
    *("spearman", "kendall", "mae", "coverage90", "n"),
    *("spearman_interval", "mae_interval", "coverage90_interval"),
}


@pytest.fixture(scope="module")
def small_bundle(small_recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundles") / "small"
    train(small_recordings, out, held_out_share=0.3, seeds=1)
    return out


def evaluate(*arguments: object) -> Result:
    return runner.invoke(app, ["evaluate", *map(str, arguments)])


def refusal(result: Result) -> str:
    """Return the one line that a refused command prints."""
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.strip().splitlines()
    return line


def test_it_prints_tables_and_says_which_tasks_count(small_bundle: Path, small_recordings: Path) -> None:
    """Confidence, routing, lengths; and that only held-out tasks were measured."""
    result = evaluate("--bundle", small_bundle, "--data", small_recordings)

    assert result.exit_code == 0
    for title in ("Confidence", "Scores of routing by it", "Output tokens of a call", "that a workflow still needs"):
        assert title in result.stdout
    assert "unseen" not in result.stdout  # 18 tasks are too few to set 20 answers aside
    assert "3 of 3 models in the data" in result.stdout
    assert "only those held out of the bundle's training (30% of all, by their ids)" in result.stdout


def test_json_alone_prints_nothing_else(small_bundle: Path, small_recordings: Path) -> None:
    """The whole of standard output is the figures, in the schema that others read."""
    figures = json.loads(evaluate("--bundle", small_bundle, "--data", small_recordings, "--json").stdout)

    assert set(figures) == {"confidence", "unseen_model", "length", "remaining"}
    assert all(set(pool) == POOL_KEYS for pool in figures["confidence"].values())
    assert set(figures["length"]) == {"code", "sums", "all"}
    assert set(figures["remaining"]) == {"all", "first_stage"}
    assert all(set(each) == TOKEN_KEYS for part in ("length", "remaining") for each in figures[part].values())


def test_json_may_stand_before_other_options(small_bundle: Path, small_recordings: Path) -> None:
    """A following option is not its file."""
    result = evaluate("--json", "--all-tasks", "--bundle", small_bundle, "--data", small_recordings)

    assert result.exit_code == 0
    assert json.loads(result.stdout)["confidence"]["sums"]["n"] == 60
    assert "Usage" in evaluate("--json", "-h").stdout


def test_json_goes_to_a_file_beside_the_tables(small_bundle: Path, small_recordings: Path, tmp_path: Path) -> None:
    """The same figures as on standard output."""
    options = ("--bundle", small_bundle, "--data", small_recordings)

    result = evaluate(*options, "--json", tmp_path / "figures.json")

    assert "Confidence" in result.stdout
    assert json.loads((tmp_path / "figures.json").read_text()) == json.loads(evaluate(*options, "--json").stdout)


def test_only_held_out_tasks_count_unless_all_are_asked_for(small_bundle: Path, small_recordings: Path) -> None:
    """The bundle has seen the answers to the others."""
    options = ("--bundle", small_bundle, "--data", small_recordings, "--json")

    held, every = (json.loads(evaluate(*options, *more).stdout) for more in ((), ("--all-tasks",)))

    assert held["unseen_model"] == {}  # too few tasks to set 20 answers aside
    assert set(every["unseen_model"]["sums"]) == {"auc_mean", "brier", "n", "auc_mean_interval", "brier_interval"}
    assert held["confidence"]["sums"]["n"] == sum(held_out(f"sums-{number}") for number in range(60))
    assert every["confidence"]["sums"]["n"] == 60


def test_unseen_models_come_with_their_limits(small_bundle: Path, small_recordings: Path) -> None:
    """The note says what a finished bundle cannot leave out."""
    result = evaluate("--bundle", small_bundle, "--data", small_recordings, "--all-tasks")

    assert "Confidence in unseen models" in result.stdout
    assert "the text heads had learned from its other answers too" in result.stdout
    assert "all, those that the bundle was trained on too" in result.stdout


def test_figures_equal_those_that_training_measured(small_bundle: Path, small_recordings: Path) -> None:
    """The exported graphs give what the source models gave on the same held-out tasks."""
    figures = json.loads(evaluate("--bundle", small_bundle, "--data", small_recordings, "--json").stdout)
    trained = json.loads((small_bundle / "bundle.json").read_text())["figures"]

    by_set = {each["name"]: each for each in trained["confidence"]}
    for name in ("code", "sums"):
        assert figures["confidence"][name]["brier"] == pytest.approx(by_set[name]["brier"]["value"], abs=2e-4)
        auc = by_set[name]["auc"] and by_set[name]["auc"]["value"]
        assert figures["confidence"][name]["auc_mean"] == pytest.approx(auc, abs=2e-4)


def test_a_bundle_of_all_tasks_is_measured_on_all_and_warned_of(small_recordings: Path, tmp_path: Path) -> None:
    """On its own data the figures show memory, and a line says so; on other data there is nothing to say."""
    train(small_recordings, tmp_path / "bundle", seeds=0)
    other = write_recordings(tmp_path / "other", prompts=prompt_rows(50), workflows=workflow_rows(50))

    own, others = (evaluate("--bundle", tmp_path / "bundle", "--data", data) for data in (small_recordings, other))

    assert "warning: the bundle was trained on all tasks of this very data" in own.stderr
    assert "120 tasks: all" in own.stdout
    assert "warning" not in others.stderr
    assert "100 tasks: all" in others.stdout


def test_pools_come_from_a_file(small_bundle: Path, small_recordings: Path, tmp_path: Path) -> None:
    """In its order and by its names."""
    models = ["Small-7B-Chat", "Big-70B-Chat"]
    pools = [{"name": "mix", "task_sets": ["sums", "code"], "models": models, "small": models[0], "large": models[1]}]
    (tmp_path / "pools.json").write_text(json.dumps(pools))

    options = ("--bundle", small_bundle, "--data", small_recordings, "--pools", tmp_path / "pools.json", "--json")
    figures = json.loads(evaluate(*options).stdout)

    assert list(figures["confidence"]) == ["mix"]
    assert list(figures["confidence"]["mix"]["auc"]) == models


def test_models_outside_the_bundle_are_left_out(small_bundle: Path, tmp_path: Path) -> None:
    """Nothing was promised of them."""
    rows = prompt_rows()
    strangers = [replace(row, model="Stranger-1B") for row in rows if row.model == "Big-70B-Chat"]
    data = write_recordings(tmp_path / "data", prompts=[*rows, *strangers])

    figures = json.loads(evaluate("--bundle", small_bundle, "--data", data, "--json").stdout)

    assert set(figures["confidence"]["sums"]["auc"]) == {"Big-70B-Chat", "Coder-7B-Chat", "Small-7B-Chat"}


def test_data_without_unseen_tasks_is_refused(small_bundle: Path, tmp_path: Path) -> None:
    """There would be nothing to average."""
    seen = [row for row in prompt_rows() if not held_out(row.prompt_id)]
    seen_workflows = [row for row in workflow_rows() if not held_out(row.task_id)]
    data = write_recordings(tmp_path / "data", prompts=seen, workflows=seen_workflows)

    line = refusal(evaluate("--bundle", small_bundle, "--data", data))

    assert line.endswith("no answer by a model of the bundle to a task that the bundle was not trained on")


def test_a_missing_file_is_named(small_bundle: Path, tmp_path: Path) -> None:
    """With the rule, in one line."""
    line = refusal(evaluate("--bundle", small_bundle, "--data", tmp_path))

    assert line == f"{tmp_path / PROMPT_OUTCOMES}: the file is missing"


def test_a_missing_column_is_named(small_bundle: Path, small_recordings: Path, tmp_path: Path) -> None:
    """With its file."""
    data = Path(shutil.copytree(small_recordings, tmp_path / "data"))
    pq.write_table(pq.read_table(data / WORKFLOW_TRACES).drop_columns(["stage"]), data / WORKFLOW_TRACES)

    line = refusal(evaluate("--bundle", small_bundle, "--data", data))

    assert line == f"{WORKFLOW_TRACES}: column 'stage' is missing"


def test_a_pool_file_of_another_shape_is_named(small_bundle: Path, small_recordings: Path, tmp_path: Path) -> None:
    """With the place inside it."""
    (tmp_path / "pools.json").write_text('[{"name": "x"}]')

    line = refusal(evaluate("--bundle", small_bundle, "--data", small_recordings, "--pools", tmp_path / "pools.json"))

    assert re.search(r"pools\.json: .*missing required field `task_sets`", line)


@pytest.mark.parametrize(("version", "age"), [(0, "an older"), (99, "a newer")])
def test_a_bundle_of_another_version_is_refused_with_both(
    small_bundle: Path, small_recordings: Path, tmp_path: Path, version: int, age: str
) -> None:
    """The bundle's version, and the one that this program reads."""
    folder = Path(shutil.copytree(small_bundle, tmp_path / "bundle"))
    manifest = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(manifest | {"format_version": version}))

    line = refusal(evaluate("--bundle", folder, "--data", small_recordings))

    assert f"format version {version} is of {age} program, this one reads {manifest['format_version']}" in line


def test_a_target_without_its_folder_is_refused_first(small_recordings: Path, tmp_path: Path) -> None:
    """Before any work is done for it."""
    line = refusal(evaluate("--data", small_recordings, "--json", tmp_path / "no" / "figures.json"))

    assert line == f"{tmp_path / 'no'}: the folder for the figures does not exist"


def test_a_target_that_cannot_be_written_is_named(small_bundle: Path, small_recordings: Path, tmp_path: Path) -> None:
    """The operating system's reason, with the path; the tables are printed all the same."""
    result = evaluate("--bundle", small_bundle, "--data", small_recordings, "--json", tmp_path)

    assert result.exit_code == 2
    assert result.stderr.strip() == f"{tmp_path}: Is a directory"
    assert "Confidence" in result.stdout


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image without the training packages says what it lacks."""
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    for name in [name for name in sys.modules if name.startswith(("chimera_training.", "chimera_bench.recorded"))]:
        monkeypatch.delitem(sys.modules, name)

    assert "needs the packages of the extras `router` and `train`" in refusal(evaluate())


def test_help_gives_an_example() -> None:
    """`chimera evaluate --help` can be copied from."""
    result = evaluate("--help")

    assert result.exit_code == 0
    assert "chimera evaluate --bundle" in result.stdout


def test_lengths_are_ordered_and_progress_adds_up(small_bundle: Path, small_recordings: Path) -> None:
    """As the picker serves them: a call <= the rest of its workflow <= its .9 quantile; every item is told once."""
    bundle, done = read_bundle(small_bundle), list[int]()
    examples = read_unseen_examples(bundle.manifest, small_recordings)

    predicted = predict_examples(bundle, examples, on_done=done.append)

    assert (np.diff(predicted.tokens, axis=0) >= 0).all()
    assert sum(done) == len(examples.tasks.ids) + len(examples.calls.task)


def test_the_shipped_bundle_beats_constants_on_shipped_data(tmp_path: Path) -> None:
    """Two models' recorded rows through the command line: confidences rank answers, and beat each model's own rate."""
    _write_subset(tmp_path, {"Meta-Llama-3-8B-Instruct", "Meta-Llama-3-70B-Instruct"})

    figures = json.loads(evaluate("--bundle", default_bundle(), "--data", tmp_path, "--json").stdout)

    gsm8k, lengths = figures["confidence"]["mint-gsm8k"], figures["remaining"]["all"]
    assert set(gsm8k["auc"]) == {"Meta-Llama-3-8B-Instruct", "Meta-Llama-3-70B-Instruct"}
    assert gsm8k["best_single_score"] <= gsm8k["oracle_score"]
    assert lengths["spearman"] > 0.6
    assert lengths["coverage90"] > 0.8


def _write_subset(folder: Path, models: set[str]) -> None:
    for name in (PROMPT_OUTCOMES, WORKFLOW_TRACES):
        table = pq.read_table(recorded_folder() / name)
        chosen = pc.is_in(table["model"].cast(pa.string()), pa.array(sorted(models)))
        pq.write_table(table.filter(chosen), folder / name)
