"""`chimera plan` and `chimera status` where no cluster is asked."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from pool_documents import pool_document
from typer.testing import CliRunner

from chimera_cli.app import app
from chimera_operator.inspection import placed

LARGE = {
    "name": "large",
    "source": {"huggingFace": {"repo": "org/large"}},
    "descriptor": {"parametersB": 70},
    "parallelism": {"tensor": 4},
    "accelerators": [{"class": "nvidia-h100"}],
    "scaling": {"auto": {"minReplicas": 1, "maxReplicas": 3}},
}


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(app, [*arguments], env={"KUBECONFIG": "", **environment})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pool.yaml"
    path.write_text(yaml.safe_dump(pool_document(LARGE)))
    return path


def test_a_new_pool_is_told_without_a_cluster(file: Path) -> None:
    """Every object that it becomes, what it takes to begin with and at most, and whether that fits."""
    told = json.loads(run("plan", str(file), "--offline", "-n", "team", "--json").stdout)

    assert {each["action"] for each in told["changes"]} == {"Create"}
    assert {each["namespace"] for each in told["changes"]} == {"team"}
    assert {"Deployment", "PooledModel", "InferencePool", "NetworkPolicy"} <= {each["kind"] for each in told["changes"]}
    (cost,) = told["costs"]
    assert (cost["replicas"], cost["most"], cost["cards"], cost["fit"]["verdict"]) == (1, 3, 4, "Fits")
    assert told["cards"] == {"nvidia-h100": 4}
    assert told["kv_tokens"] > 0


def test_the_table_tells_the_same(file: Path) -> None:
    """In words for people."""
    told = run("plan", str(file), "--offline")

    assert told.exit_code == 0
    for text in ("Create", "InferencePool", "1 to 3", "4 nvidia-h100", "Fits", "0 stay as they are"):
        assert text in told.stdout


def test_a_pool_that_breaks_a_rule_is_refused(tmp_path: Path) -> None:
    """With the place and the rule, in one line."""
    path = tmp_path / "pool.yaml"
    path.write_text(yaml.safe_dump(pool_document({**LARGE, "modle": 1})))

    told = run("plan", str(path), "--offline")

    assert told.exit_code == 2
    assert told.stderr.startswith(f"{path}: spec.models[0].modle: unknown key")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """In one line."""
    told = run("plan", str(tmp_path / "none.yaml"), "--offline")

    assert (told.exit_code, told.stderr) == (2, f"{tmp_path}/none.yaml: No such file or directory\n")


@pytest.mark.parametrize("command", ["plan", "status"])
def test_without_credentials_no_cluster_is_asked(command: str, file: Path, tmp_path: Path) -> None:
    """A kubeconfig that is none is named, and nothing of it repeated."""
    bad = tmp_path / "kubeconfig"
    bad.write_text("canary: [")

    told = run(command, str(file), KUBECONFIG=str(bad))

    assert told.exit_code == 2
    assert told.stderr.startswith(f"{bad}: no credentials of an API server (")
    assert "canary" not in told.stderr


def test_a_namespace_that_is_given_wins() -> None:
    """Else the document's own stays."""
    document = {"metadata": {"name": "pool", "namespace": "own"}}

    assert placed(document, "given")["metadata"] == {"name": "pool", "namespace": "given"}
    assert placed(document, "") is document
    assert placed("canary", "given") == "canary"
