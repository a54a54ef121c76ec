"""`chimera bench` on the package's own data, and what it refuses."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from recordings import write_recordings
from typer.testing import CliRunner, Result

from chimera_bench.baselines import CATALOGUE
from chimera_bench.serving import read_pools, shipped_pools
from chimera_cli.app import app
from chimera_router.prediction.bundle import default_bundle
from chimera_training.bundle import MANIFEST
from chimera_training.data import ARRIVALS, WORKFLOW_TRACES, recorded_folder

runner = CliRunner()

POOL = "mixed-agents-open"
SMALL = ("--pool", POOL, "--workflows", "30", "--workers", "1")
THREE = ("--policy", "chimera", "--policy", "round-robin", "--policy", "always-large")


def bench(*arguments: object) -> Result:
    return runner.invoke(app, ["bench", *map(str, arguments)])


def refusal(*arguments: object) -> str:
    """Return the one line that a refused command prints."""
    result = bench(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.strip().splitlines()
    return line


def test_json_is_a_list_of_records() -> None:
    """Nothing else is on standard output; a record for each cell, in the published schema."""
    document = json.loads(bench(*SMALL, *THREE, "--seeds", 2, "--load", 0.5, "--load", 0.85, "--json").stdout)

    assert len(document) == 3 * 2 * 2
    assert list(document[0]) == [
        *("workload", "pool", "policy", "params", "load", "seed", "workflows", "score"),
        *("latency_mean", "latency_p50", "latency_p95", "latency_p99", "latency_per_token"),
        *("share", "cost", "rejected"),
    ]
    first = document[0]
    assert (first["workload"], first["pool"], first["policy"]) == ("workflow_traces/poisson", POOL, "chimera")
    assert (first["load"], first["seed"], first["workflows"]) == (0.5, 0, 30)
    assert [record["cost"] for record in document if record["policy"] == "always-large"] == pytest.approx([1.0] * 4)


def test_equal_seeds_give_equal_records() -> None:
    """On the project's own data too, predictions included."""
    first, second = (bench(*SMALL, *THREE, "--seeds", 1, "--json").stdout for _ in range(2))

    assert json.loads(first) == json.loads(second)


def test_it_plays_everything_that_can_be_compared_by_default() -> None:
    """Chimera, baselines and references, at one setting each; ablations on request."""
    result = bench("--pool", POOL, "--workflows", 10, "--workers", 1, "--seeds", 1, "--ablations")

    assert result.exit_code == 0
    for name in CATALOGUE.keys() - {"marginal", "aging"}:
        assert any(line.split()[:1] == [name] for line in result.stdout.splitlines()), name
    assert "Last two columns: against round-robin" in result.stdout
    assert "Last two columns: against chimera" in result.stdout
    assert "Engines are simulated" in result.stdout


def test_a_sweep_compares_frontiers() -> None:
    """Of Chimera's rule at any price with each other policy that was played."""
    result = bench(*SMALL, "--seeds", 1, "--sweep", *THREE, "--policy", "marginal")

    assert "the frontier of chimera against that of others" in result.stdout
    assert "latency at" in result.stdout


def test_a_plot_is_drawn_for_every_pool_and_load(tmp_path: Path) -> None:
    """Beside the tables; standard error says where."""
    path = tmp_path / "frontier.png"

    result = bench(*SMALL, *THREE, "--seeds", 2, "--load", 0.5, "--load", 1.5, "--plot", path)

    assert result.exit_code == 0
    assert f"Drawn: {path}" in result.stderr
    with Image.open(path) as picture:
        assert picture.format == "PNG"


def test_slots_are_limited_and_arrivals_taken_from_a_trace() -> None:
    """Engines of one slot queue; the trace names the workload."""
    options = ("--pool", POOL, "--workflows", 30, "--workers", 1, "--policy", "always-large", "--seeds", 1, "--json")

    (wide,) = json.loads(bench(*options).stdout)
    (narrow,) = json.loads(bench(*options, "--max-num-seqs", 1, "--arrivals", "azure-2023-conv").stdout)

    # Load is relative to engines with as many slots, so the arrivals are slower too; what queues still waits longer.
    assert narrow["workload"] == "workflow_traces/azure-2023-conv"
    assert narrow["latency_p99"] != wide["latency_p99"]


def test_load_may_be_a_share_of_what_the_engines_serve_together() -> None:
    """Of each pool's own; records give the load that it comes to."""
    options = (*SMALL, "--policy", "always-large", "--seeds", 1, "--json")

    half, full = json.loads(bench(*options, "--capacity", 0.5, "--capacity", 1).stdout)

    assert full["load"] == pytest.approx(2 * half["load"])
    assert half["load"] != 0.5


def test_several_engines_of_a_model_take_as_many_times_the_arrivals() -> None:
    """Load means the same; requests may wait in the picker, for the engine that is free first."""
    options = ("--pool", POOL, "--workflows", 300, "--workers", 1, "--seeds", 1, "--capacity", 1, "--max-num-seqs", 4)
    records = [
        record
        for count in (1, 3)
        for record in json.loads(
            bench(*options, "--endpoints", count, "--policy", "chimera", "--policy", "held", "--json").stdout
        )
    ]
    one, one_held, three, three_held = records

    assert one["load"] == pytest.approx(three["load"])
    assert [record["policy"] for record in records] == ["chimera", "held"] * 2
    assert three_held["latency_mean"] != three["latency_mean"]
    assert one_held["latency_mean"] != one["latency_mean"]


def test_predict_is_still_a_command_of_its_own() -> None:
    """The comparison does not run before it."""
    result = bench("predict", "--help")

    assert result.exit_code == 0
    assert "Time predictions" in result.stdout


def test_help_has_examples() -> None:
    """Options and how they go together."""
    text = " ".join(bench("--help").stdout.split())

    assert "chimera bench --policy chimera --policy slack --json" in text
    assert "engines are simulated" in text


def test_an_unknown_pool_is_one_line() -> None:
    """It names those that there are."""
    assert refusal("--pool", "nine") == (
        f"{shipped_pools()}: there is no serving pool 'nine'; there are "
        f"{', '.join(pool.name for pool in read_pools(shipped_pools()))}"
    )


def test_an_unknown_policy_is_one_line() -> None:
    """It names those that there are."""
    assert refusal("--policy", "best") == f"there is no policy 'best'; there are {', '.join(CATALOGUE)}"


def test_a_missing_pools_file_is_one_line(tmp_path: Path) -> None:
    """It names the file."""
    assert refusal("--pools", tmp_path / "none.json") == (
        f"{tmp_path / 'none.json'}: the file cannot be read: No such file or directory"
    )


def test_pools_without_engines_are_one_line(tmp_path: Path) -> None:
    """A pool of the evaluation does not say what its engines are."""
    pools = json.loads(shipped_pools().read_text())
    (tmp_path / "pools.json").write_text(json.dumps([{**pool, "serving": []} for pool in pools]))

    assert refusal("--pools", tmp_path / "pools.json") == (
        f"{tmp_path / 'pools.json'}: no pool of it has `serving`, which says what its engines are"
    )


def test_data_without_a_task_of_the_pool_is_one_line(tmp_path: Path) -> None:
    """No model of the pool is in it, so there is nothing to replay."""
    data = write_recordings(tmp_path / "data")

    assert POOL in refusal("--data", data, "--pool", POOL)


def test_missing_data_is_one_line(tmp_path: Path) -> None:
    """It names the file."""
    assert refusal("--data", tmp_path, "--pool", POOL) == f"{tmp_path / WORKFLOW_TRACES}: the file is missing"


def test_a_missing_bundle_is_one_line(tmp_path: Path) -> None:
    """It names the file."""
    assert str(tmp_path) in refusal("--bundle", tmp_path)


def test_an_unknown_trace_is_one_line() -> None:
    """It names the file that should have it."""
    assert refusal("--arrivals", "monday") == (
        f"{recorded_folder() / ARRIVALS}: column 'trace' must hold 'monday' in some row"
    )


def test_a_trace_that_is_too_short_is_one_line() -> None:
    """It says how long it is."""
    assert "too few for 100000 workflows" in refusal("--arrivals", "azure-2023-conv", "--workflows", 100_000)


def test_a_plot_in_a_missing_folder_is_refused_before_anything_is_played(tmp_path: Path) -> None:
    """Not after minutes."""
    path = tmp_path / "none" / "plot.png"

    assert refusal("--plot", path) == f"{path.parent}: the folder for the plot does not exist"


@pytest.mark.parametrize(
    "options", [["--load", "0"], ["--seeds", "0"], ["--workflows", "1"], ["--workers", "0"], ["--endpoints", "0"]]
)
def test_what_cannot_be_played_is_refused(options: list[str]) -> None:
    """No arrivals, no seed, no workload, nobody to play."""
    assert bench(*options).exit_code == 2


def test_a_bundle_that_kept_no_task_out_is_warned_of(tmp_path: Path) -> None:
    """It remembers what it seems to predict."""
    folder = shutil.copytree(default_bundle(), tmp_path / "bundle")
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["training"]["held_out_share"] = 0
    (folder / MANIFEST).write_text(json.dumps(manifest))

    result = bench(*SMALL, *THREE, "--bundle", folder, "--seeds", 1)

    assert result.exit_code == 0
    assert "the bundle was trained on all tasks of this very data" in result.stderr
