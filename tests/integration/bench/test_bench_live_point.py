"""One point of a comparison on the real Envoy, the real picker and engine servers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chimera_bench.groundwork import chosen_pools, read_grounds
from chimera_bench.live.points import play_point
from chimera_bench.records import Cell
from chimera_bench.serving import shipped_pools
from chimera_router.prediction.bundle import default_bundle, read_bundle
from chimera_training.data import recorded_folder

LIVE = [sys.executable, "-m", "chimera_cli", "bench", "--live", "--workflows", "8", "--warm-up", "0.2", "--speed", "40"]
BOTH = ["--policy", "always-large", "--policy", "chimera"]


def bench(*arguments: str) -> str:
    """Return what the command prints."""
    ended = subprocess.run([*LIVE, *arguments], capture_output=True, timeout=58, check=False, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_workflows_are_those_of_virtual_time() -> None:
    """The large model's recorded runs of the same tasks: equal outcomes and tokens; Chimera names a model for each."""
    large, chimera = json.loads(bench("--pool", "mixed-agents-open", *BOTH, "--json"))

    assert large.keys() == {"virtual", "live", "latency_ratio", "speed", "retries", "fallbacks"}
    for figure in ("policy", "pool", "load", "seed", "workflows", "score", "share", "cost", "rejected"):
        assert large["live"][figure] == large["virtual"][figure], figure
    assert large["live"]["cost"] == pytest.approx(1.0)
    assert large["live"]["share"]["Meta-Llama-3-70B-Instruct"] == 1.0
    assert (chimera["live"]["policy"], chimera["live"]["rejected"]) == ("chimera", 0)
    assert sum(chimera["live"]["share"].values()) == pytest.approx(1.0)
    assert (chimera["speed"], chimera["virtual"]["workflows"]) == (40.0, 8)


def test_prompts_are_workflows_of_one_stage() -> None:
    """Answered as recorded; the table has a row for each replay."""
    shown = bench("--pool", "qwen-mix-open", "--policy", "round-robin")

    assert "qwen-mix-open: 8 workflows of prompt_outcomes/poisson" in shown
    virtual, live = (line.split() for line in shown.splitlines() if "round-robin" in line or "live, 40x" in line)
    assert virtual[:4] == ["round-robin", "0.85", "0", "virtual"]
    assert virtual[-1] == live[-3]
    assert "Live is Envoy, the picker and simulated engines" in shown


@pytest.mark.anyio
async def test_any_recorded_folder_can_be_played(tmp_path: Path) -> None:
    """Engines read it, too: here the package's own from elsewhere."""
    folder = tmp_path / "recorded"
    folder.symlink_to(recorded_folder(), target_is_directory=True)
    bundle = read_bundle(default_bundle())
    (pool,) = chosen_pools(shipped_pools(), ["mixed-agents-open"])
    ground = read_grounds([pool], folder, bundle, spacing="poisson", workflows=4, warm_up=0.5)[pool.name]
    cell = Cell(workload=ground.workload, pool=pool.name, policy="always-small", params={}, load=0.85, seed=1)
    ended: list[bool] = []

    point = await play_point(
        ground, cell, bundle=bundle.folder, recordings=folder, speed=40.0, on_result=lambda: ended.append(True)
    )

    assert (len(ended), point.live.workflows) == (len(ground.arrivals(cell)), 4)
    assert (point.live.cost, point.live.score) == pytest.approx((point.virtual.cost, point.virtual.score))
