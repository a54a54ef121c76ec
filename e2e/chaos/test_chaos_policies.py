"""Default-deny around a pool and its operator: what the policies of chart and pool admit is enough, and not more.

Where KUBECONFIG names a cluster, its own network has to enforce policies, or the first test fails.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import pytest
from client_pods import ask, client
from restricted_pods import container, deployment, http_probe
from served_pools import Served, applied, model, pool
from under_load import under_load

from chimera_cluster import policies
from chimera_cluster.cluster import Cluster
from chimera_cluster.errors import ClusterError
from chimera_cluster.network import Inside

pytestmark = pytest.mark.timeout(400)

DENIED = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "default-deny"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
}
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2)"
ENFORCED = 30.0  # seconds until a new pod's or policy's rules are written


@pytest.fixture(scope="module")
def served(cluster: Cluster, release: str, gateway_class: str) -> Iterator[Served]:
    """A pool in a namespace that admits nobody, and so does its operator's."""
    assert gateway_class
    members = [model("small", token_ms=50, replicas=2), model("large", token_ms=50, score=0.7)]
    enforced = policies.enforced(cluster.network.place) if isinstance(cluster.network, Inside) else nullcontext()
    with enforced, cluster.space() as space:
        cluster.apply(DENIED, space=release)
        cluster.apply(DENIED, space=space)
        with applied(cluster, space, pool("guarded", *members)) as made:
            yield made
        cluster.kubectl("delete", "networkpolicy", "default-deny", f"--namespace={release}")


@pytest.fixture(scope="module")
def stranger(cluster: Cluster, image: Callable[[str], str]) -> Iterator[str]:
    """A namespace without policies, with a server and somebody who tries doors."""
    with cluster.space() as space:
        server = container(image("echo"), readinessProbe=http_probe("/ready", 8080))
        cluster.apply(client(image("router")), deployment("echo", 1, server), space=space)
        cluster.await_condition("pod/client", "condition=Ready", space=space)
        cluster.await_rollout("deployment/echo", space=space)
        yield space


def opens(cluster: Cluster, stranger: str, address: str, port: int) -> bool:
    """Return whether the stranger gets through."""
    try:
        ask(cluster, stranger, CONNECT, address, str(port))
    except ClusterError:
        return False
    return True


def becomes(expected: bool, attempt: Callable[[], bool]) -> bool:  # noqa: FBT001 - what is waited for
    """Return whether an attempt ends as expected in time."""
    deadline = time.monotonic() + ENFORCED
    while attempt() is not expected:
        if time.monotonic() > deadline:
            return False
    return True


def address(cluster: Cluster, space: str, *selection: str) -> str:
    """Return the address of a pod."""
    return str(cluster.get("pods", f"--namespace={space}", *selection)["items"][0]["status"]["podIP"])


def test_strangers_reach_neither_engines_nor_pickers(cluster: Cluster, served: Served, stranger: str) -> None:
    """Who reaches another pod of the cluster is kept from each port of a pool."""
    engine = address(cluster, served.space, "--selector=app.kubernetes.io/component=engine")
    picker = address(cluster, served.space, "--selector=app.kubernetes.io/component=picker")

    assert becomes(True, lambda: opens(cluster, stranger, address(cluster, stranger, "--selector=app=echo"), 8080))
    for door, port in ((engine, 8000), (picker, 9002), (picker, 9090)):
        assert becomes(False, lambda door=door, port=port: opens(cluster, stranger, door, port)), (door, port)  # type: ignore[misc]


def test_pool_serves_and_changes_behind_default_deny(served: Served) -> None:
    """Gateway, pickers, engines and operator reach each other: all chats are answered while models grow and roll."""
    with under_load(served, "default-deny") as (chats, _):
        served.change_model("small", scaling={"replicas": 3})
        served.await_status("three replicas", lambda status: status["readyReplicas"] == "4/4")
        old = set(served.pods(model="large"))
        served.change_model("large", pod={"annotations": {"test/round": "2"}})
        served.await_status("the update", lambda _: not old & set(served.pods(model="large")), seconds=180)
        served.await_ready()

    assert chats.failures() == {}
