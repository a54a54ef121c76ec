"""The wheel as users install it, not the source tree."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_wheel_carries_what_the_commands_need(wheel: Path) -> None:
    """Packages, types, the default bundle, the recorded data with its notice, and the sample pool are inside."""
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {
        "chimera_proto/config/v1alpha1/router_config_pb2.py",
        "chimera_router/py.typed",
        "chimera_router/prediction/bundles/default/bundle.json",
        "chimera_training/probes/functions.txt",
        "chimera_training/probes/probes.jsonl",
        "chimera_training/recorded/NOTICE",
        "chimera_training/recorded/workflow_traces.parquet",
        "chimera_operator/local/samples/local-three-models.yaml",
        "chimera_bench/engine/__main__.py",
        "chimera_conformance/__main__.py",
        "chimera_cli/__main__.py",
    } <= names


def test_wheel_carries_nothing_else(wheel: Path) -> None:
    """Neither tests nor a package called `operator` travel."""
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}

    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "chimera_bench",
        "chimera_cli",
        "chimera_conformance",
        "chimera_operator",
        "chimera_proto",
        "chimera_router",
        "chimera_training",
    }


def test_commands_run_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """Unpacked anywhere, the command line starts and finds its sample pool inside."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    sample = "import chimera_operator.local.documents as d; print(d.sample_pool())"

    helped = subprocess.run(
        [sys.executable, "-m", "chimera_cli", "--help"], check=True, capture_output=True, text=True, env=environment
    )
    found = subprocess.run(
        [sys.executable, "-c", sample], check=True, capture_output=True, text=True, env=environment, cwd=tmp_path
    )

    assert all(command in helped.stdout for command in ("up", "demo", "explain", "train"))
    assert Path(found.stdout.strip()).is_relative_to(tmp_path)
    assert Path(found.stdout.strip()).exists()
