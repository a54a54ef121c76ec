"""`chimera plan` and `chimera status` against a real cluster, with pools that the operator looks after."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from clusters import Cluster, until
from control_planes import ControlPlane
from grounds import POOLS, Ground
from operators import IMAGES, operator
from pool_documents import COEFFICIENTS, pool_document
from typer.testing import CliRunner

from chimera_cli.app import app
from chimera_operator.planning.plan import plan

pytestmark = pytest.mark.anyio

HOME = "default"
"""Where the tests' operators are."""


def model(name: str, *, slots: int = 16) -> dict[str, Any]:
    engine = {"type": "Simulator", "kvTokens": 100_000, "maxNumSeqs": slots}
    return {"name": name, "engine": engine, "coefficients": COEFFICIENTS}


@pytest.fixture
async def ground(control_plane: ControlPlane, cluster: Cluster, namespace: str) -> AsyncIterator[Ground]:
    """Return a pool of two models, whose operator is installed as its chart does it."""
    async with (
        _installed(cluster),
        operator(control_plane.kubeconfig(), f"--namespace={namespace}", planner=plan) as running,
    ):
        made = Ground(cluster, namespace, running)
        await made.apply(pool_document(model("small"), model("large")))
        await made.settled()
        yield made


@asynccontextmanager
async def _installed(cluster: Cluster) -> AsyncIterator[None]:
    labels = {"app.kubernetes.io/part-of": "chimera", "app.kubernetes.io/component": "operator"}
    container = {
        "name": "operator",
        "image": "operator",
        "args": [*IMAGES, "--identity=$(POD_NAME)", "--flag-of=later"],
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    await cluster.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "chimera", "namespace": HOME, "labels": labels},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
        }
    )
    yield
    await cluster.delete("apps/v1", "Deployment", HOME, "chimera")


async def chimera(ground: Ground, plane: ControlPlane, *argv: str) -> Result:
    where = ("--kubeconfig", str(plane.kubeconfig()), "-n", ground.namespace)
    return await asyncio.to_thread(CliRunner().invoke, app, [*argv, *where])


async def planned(ground: Ground, plane: ControlPlane, folder: Path, document: dict[str, Any]) -> dict[str, Any]:
    """Return what `chimera plan` says of a document, as JSON."""
    file = folder / "pool.yaml"
    file.write_text(yaml.safe_dump(document))
    told = await chimera(ground, plane, "plan", str(file), "--operator-namespace", HOME, "--json")
    assert told.exit_code == 0, told.output
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def actions(found: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Return what happens to objects that do not stay as they are."""
    return {(each["action"], each["kind"], each["name"]) for each in found["changes"] if each["action"] != "Keep"}


async def test_what_is_applied_changes_nothing(ground: Ground, control_plane: ControlPlane, tmp_path: Path) -> None:
    """The command sees what the operator sees, so that nothing is planned for a pool in order."""
    found = await planned(ground, control_plane, tmp_path, pool_document(model("small"), model("large")))

    assert actions(found) == set()
    assert len(found["changes"]) > 10
    assert found["restarts"] == []


async def test_what_changes_is_planned_and_not_done(
    ground: Ground, control_plane: ControlPlane, tmp_path: Path
) -> None:
    """Objects to write, replicas to replace and objects that go, while everything stays as it is."""
    before = {each["metadata"]["name"]: each["spec"] for each in await deployments(ground)}
    small = next(name for name in before if name.startswith("pool-small"))
    large = next(name for name in before if name.startswith("pool-large"))

    found = await planned(ground, control_plane, tmp_path, pool_document(model("small", slots=17)))

    told = actions(found)
    assert ("Change", "Deployment", small) in told
    assert ("Delete", "Deployment", large) in told
    assert "Create" not in {action for action, _, _ in told}
    assert {each["metadata"]["name"]: each["spec"] for each in await deployments(ground)} == before
    assert [each["model"] for each in found["costs"]] == ["small"]


async def test_a_new_pool_is_all_made(ground: Ground, control_plane: ControlPlane, tmp_path: Path) -> None:
    """Of a pool that is not there every object is created."""
    document = pool_document(model("small"))
    found = await planned(ground, control_plane, tmp_path, {**document, "metadata": {"name": "new"}})

    assert {action for action, _, _ in actions(found)} == {"Create"}
    assert await ground.child(POOLS, "new") is None


async def test_without_an_operator_nothing_is_planned(
    ground: Ground, control_plane: ControlPlane, tmp_path: Path
) -> None:
    """What pools become is the operator's to say."""
    file = tmp_path / "pool.yaml"
    file.write_text(yaml.safe_dump(pool_document(model("small"))))

    told = await chimera(ground, control_plane, "plan", str(file), "--operator-namespace", ground.namespace)

    assert told.exit_code == 2
    assert told.stderr == f"no operator is in {ground.namespace}: see --operator-namespace, or --offline\n"


async def test_status_is_shown(ground: Ground, control_plane: ControlPlane) -> None:
    """Conditions, models and Events as tables; 1 is the status of a pool that is not ready."""

    async def noted() -> bool:
        return any(each["reason"] == "Accepted" for each in await ground.events())

    await until(noted)
    told = await chimera(ground, control_plane, "status", "pool")
    record = await chimera(ground, control_plane, "status", "pool", "--json")

    assert (told.exit_code, record.exit_code) == (1, 1)
    for text in ("Accepted", "PickerNotReady", "small", "large", "Pending", "the spec keeps all rules"):
        assert text in told.output
    found = json.loads(record.stdout)
    assert {each["name"] for each in found["status"]["models"]} == {"small", "large"}
    assert {each["regarding"]["name"] for each in found["events"]} == {"pool"}


async def test_a_pool_that_is_not_there_is_told(ground: Ground, control_plane: ControlPlane) -> None:
    """With one line, and the status of wrong usage."""
    told = await chimera(ground, control_plane, "status", "nobodys")

    assert told.exit_code == 2
    assert told.stderr == f"there is no pool nobodys in {ground.namespace}\n"


async def deployments(ground: Ground) -> list[dict[str, Any]]:
    return await ground.cluster.list("apps/v1", "Deployment", ground.namespace)
