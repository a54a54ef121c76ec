"""What people and autoscalers meet of the definitions at a real API server."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from admissions import Admission, RefusedError, admission
from control_planes import ControlPlane
from pool_rules import small

from chimera_operator.api.parse import parse_pooled_model, parse_resource

__all__ = ["admission"]

pytestmark = pytest.mark.anyio

FOLDER = Path(__file__).resolve().parents[2] / "manifests" / "samples"
SAMPLES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))}
CHILD = {
    "apiVersion": "chimera.dev/v1alpha1",
    "kind": "PooledModel",
    "metadata": {"name": "child"},
    "spec": {"pool": "pool", "model": "small"},
}
NOW = "2026-01-02T03:04:05Z"


@pytest.mark.parametrize("document", SAMPLES.values(), ids=SAMPLES)
async def test_every_sample_is_stored(admission: Admission, document: dict[str, Any]) -> None:
    """And means the same with the server's defaults in it."""
    assert parse_resource(await admission.admit(document)).spec == parse_resource(document).spec


async def test_defaults_of_models_are_left_to_who_merges_them(admission: Admission) -> None:
    """The server fills in routing and picker, and nothing below models and defaults."""
    spec = (await admission.admit(small()))["spec"]

    assert spec["models"] == [{"name": "small"}]
    assert spec["defaults"] == {"engine": {"type": "Simulator"}}
    assert (spec["routing"]["policy"], spec["picker"]["replicas"]) == ("Marginal", 2)


@pytest.mark.parametrize("amount", [-1, "-1", "16GB"])
async def test_amount_that_is_none_is_refused(admission: Admission, amount: int | str) -> None:
    """Quantities are whole numbers or text; both have to be amounts."""
    with pytest.raises(RefusedError, match=r"resources.requests.memory"):
        await admission.admit(small(resources={"requests": {"memory": amount}}))


async def test_mistyped_key_is_refused(admission: Admission) -> None:
    """Clients that ask for strict validation, as kubectl does, are told the key."""
    with pytest.raises(RefusedError, match=r"unknown field \"spec.models\[0\].engin\""):
        await admission.admit(small(engin={}))


async def test_status_is_written_apart_from_the_spec(admission: Admission) -> None:
    """Who writes a pool cannot write its status, and what the operator writes there is kept whole and read back."""
    place = await admission.elsewhere()
    model = {
        "name": "small",
        "phase": "Failed",
        "lastFailure": {"pod": "p", "reason": "CudaOutOfMemory", "exitCode": 1, "at": NOW},
        "fit": {"verdict": "Tight", "weightsGb": 15.2},
    }
    condition = {"type": "Ready", "status": "False", "reason": "Failed", "lastTransitionTime": NOW}
    status = {"readyReplicas": "0/1", "observedGeneration": 1, "models": [model], "conditions": [condition]}
    await place.create({**small(), "status": status})

    stored = await place.write_status({**small(), "status": status})

    found = parse_resource(stored).status
    assert found is not None
    assert found.models[0].last_failure is not None
    assert (found.models[0].last_failure.exit_code, found.ready_replicas) == (1, "0/1")
    assert (await place.update({**small(), "status": {"readyReplicas": "9/9"}}))["status"]["readyReplicas"] == "0/1"


async def test_children_are_scaled_by_autoscalers(admission: Admission) -> None:
    """One replica is wished until somebody scales; who does sees the current ones, ready or not, and the selector."""
    place = await admission.elsewhere()
    first = await place.create(CHILD)
    selector = "chimera.dev/pool=pool,chimera.dev/model=small"
    await place.write_status({**CHILD, "status": {"replicas": 4, "readyReplicas": 3, "selector": selector}})

    scale = await place.scale("child", replicas=6)

    assert first["spec"]["replicas"] == 1
    assert scale["status"] == {"replicas": 4, "selector": selector}
    assert parse_pooled_model(await place.read(CHILD)).spec.replicas == 6


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("hmp.spec.models", ["name <string> -required-", "Other names that pin it."]),
        ("hmp.spec.models.engine", ["maxNumSeqs <integer>", "Default: 256."]),
        ("hmp.spec.models.accelerators", ["class <string> -required-", "such as `nvidia-h100`"]),
        ("hmp.spec.routing.policy", ["ENUM: Slack Marginal", "Marginal: the most confidence left"]),
        ("hmp.status.models", ["enum: Pending, Starting, Ready,", "lastFailure"]),
        ("pmodel.spec", ["replicas <integer>", "scaling.external"]),
    ],
)
@pytest.mark.usefixtures("admission")
async def test_kubectl_explains_every_field(control_plane: ControlPlane, path: str, words: list[str]) -> None:
    """What the types say of a field is what kubectl shows."""
    told = " ".join(kubectl(control_plane, "explain", path).split())

    assert [word for word in words if word not in told] == []


async def test_kubectl_lists_what_matters(admission: Admission, control_plane: ControlPlane) -> None:
    """One word for the state, models and replicas that serve, the address; by the short names and the category."""
    place = await admission.elsewhere()
    condition = {"type": "Ready", "status": "True", "reason": "Serving", "lastTransitionTime": NOW}
    status = {"readyModels": "1/1", "readyReplicas": "3/4", "url": "http://llm.example.com", "conditions": [condition]}
    await place.create(small())
    await place.write_status({**small(), "status": status})
    await place.create(CHILD)

    pools = kubectl(control_plane, "get", "hmp", "--namespace", place.namespace).splitlines()
    everything = kubectl(control_plane, "get", "chimera", "--namespace", place.namespace, "--output", "name")

    assert pools[0].split() == ["NAME", "MODELS", "REPLICAS", "STATUS", "URL", "AGE"]
    assert pools[1].split()[:-1] == ["pool", "1/1", "3/4", "Serving", "http://llm.example.com"]
    assert everything.split() == ["heterogeneousmodelpool.chimera.dev/pool", "pooledmodel.chimera.dev/child"]


def kubectl(plane: ControlPlane, *arguments: str) -> str:
    """Return what kubectl prints."""
    program: Any = shutil.which("kubectl") or pytest.skip("kubectl is not installed")
    argv = [program, "--kubeconfig", str(plane.kubeconfig()), "--cache-dir", str(plane.folder / "kubectl"), *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
