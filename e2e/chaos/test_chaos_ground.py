"""What clients see of a pool while what it stands on changes: its node, and the gateway in front.

As in `test_chaos_pool`, each test prints what became of its chats, and the pool's status has to tell what they see.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from served_pools import GATEWAYS, Served, Status, applied, model, pool
from status_truth import LAG, unserved
from under_load import ANSWER, NOTICED, SETTLE, under_load

from chimera_cluster.cluster import Cluster

pytestmark = pytest.mark.timeout(500)

CONTROLLER = "envoy-gateway"  # Deployment of Envoy Gateway's own program
DRAINED = 3 * ANSWER  # seconds after which nothing passes an Envoy any more that is about to end


@pytest.fixture(scope="module")
def pooled(cluster: Cluster, release: str, gateway_class: str) -> Iterator[Served]:
    """Two models, one of them twice, and two pickers."""
    assert (release, gateway_class) == ("chimera-system", "envoy")
    members = [model("small", token_ms=50, replicas=2, score=0.6), model("large", token_ms=50, score=0.7)]
    with cluster.space() as space, applied(cluster, space, pool("assistants", *members)) as made:
        yield made


@contextmanager
def cordoned(cluster: Cluster) -> Iterator[None]:
    """Let the cluster's only node take no new pods."""
    nodes = [each["metadata"]["name"] for each in cluster.get("nodes")["items"]]
    if len(nodes) != 1:
        pytest.skip("another node would take what this one does not")
    cluster.kubectl("cordon", *nodes)
    try:
        yield
    finally:
        cluster.kubectl("uncordon", *nodes)


def condition(status: Status, kind: str) -> Status:
    """Return one of a status's conditions."""
    found: Status = next((each for each in status.get("conditions", []) if each["type"] == kind), {})
    return found


def unplaced(status: Status) -> bool:
    """Return whether a status says that a replica is missing since the node is cordoned."""
    degraded, limited = condition(status, "Degraded"), condition(status, "CapacityLimited")
    return limited.get("reason") == degraded.get("reason") == "Unschedulable" and "cordoned" in degraded["message"]


def envoy(served: Served) -> str:
    """Return the Deployment of the pool's gateway."""
    label = f"--selector=gateway.envoyproxy.io/owning-gateway-namespace={served.space}"
    (found,) = served.cluster.get("deployments", label, f"--namespace={GATEWAYS}")["items"]
    return f"deployment/{found['metadata']['name']}"


def envoys(served: Served) -> set[str]:
    """Return its pods, those that are about to end included."""
    label = f"--selector=gateway.envoyproxy.io/owning-gateway-namespace={served.space}"
    return {each["metadata"]["name"] for each in served.cluster.get("pods", label, f"--namespace={GATEWAYS}")["items"]}


def kill(cluster: Cluster, *pods: str) -> None:
    """Kill pods of Envoy Gateway at once."""
    where = f"--namespace={GATEWAYS}"
    cluster.kubectl("delete", "pod", *pods, where, "--grace-period=0", "--force", "--wait=false")


def test_node_that_is_cordoned_serves_on(served: Served) -> None:
    """What serves goes on, a new replica waits and the status says for what; with the node back it comes."""
    with under_load(served, "node cordoned") as (chats, _):
        with cordoned(served.cluster):
            served.change_model("small", scaling={"replicas": 3})
            served.await_status("that no node takes it", unplaced)
            time.sleep(SETTLE)
            status = served.status()
        served.await_status("the replica", lambda status: status["readyReplicas"] == "4/4")
        served.await_ready()

    assert chats.failures() == {}
    assert status["readyReplicas"] == "3/4"
    assert condition(status, "Ready")["status"] == "True"
    assert chats.pods() == set(served.pods(model="small")) | set(served.pods(model="large"))


def test_model_without_a_place_is_told(served: Served) -> None:
    """The only engine of a model is killed and finds no place again: the status says so, the other model serves."""
    (only,) = served.pods(model="large")
    with under_load(served, "a model's only engine killed, node cordoned") as (chats, looks):
        with cordoned(served.cluster):
            served.kill(only)
            served.await_status("that no node takes it", unplaced)
            time.sleep(2 * LAG)
            status = served.status()
        served.await_ready()
        back = time.monotonic()

    assert condition(status, "Ready")["status"] == "False"
    assert "cordoned" in condition(status, "Ready")["message"]
    assert any(unserved(look, chats.ended) == {"large"} for look in looks)
    assert all(each.asked == "large" and each.began < back + NOTICED for each in chats.failed)


def test_gateway_that_is_replaced_loses_nothing(served: Served) -> None:
    """A new Envoy takes what comes, the old one finishes what it began."""
    old = envoys(served)
    with under_load(served, "gateway replaced") as (chats, _):
        served.cluster.kubectl("rollout", "restart", envoy(served), f"--namespace={GATEWAYS}")
        served.cluster.await_rollout(envoy(served), space=GATEWAYS, seconds=120)
        time.sleep(DRAINED)

    assert chats.failures() == {}
    assert envoys(served) - old


def test_gateway_that_is_killed_is_told(served: Served) -> None:
    """With the only Envoy goes what passes it, and nobody is served until there is one again; the status says so."""
    with under_load(served, "gateway killed") as (chats, looks):
        killed = time.monotonic()
        kill(served.cluster, *envoys(served))
        served.await_status("the loss", lambda status: condition(status, "Ready")["status"] == "False", seconds=30)
        served.cluster.await_rollout(envoy(served), space=GATEWAYS, seconds=120)
        served.await_ready()
        back = time.monotonic()

    assert chats.failed
    assert all(killed - ANSWER - 1 < each.began < back + NOTICED for each in chats.failed)
    assert condition(dict(looks[-1].status), "Ready")["status"] == "True"


def test_controller_of_gateways_that_is_away_is_not_missed(served: Served) -> None:
    """Envoy serves on while its controller is killed and comes back."""
    with under_load(served, "gateway's controller killed") as (chats, _):
        kill(served.cluster, f"--selector=control-plane={CONTROLLER}")
        time.sleep(1)
        served.cluster.await_rollout(f"deployment/{CONTROLLER}", space=GATEWAYS, seconds=120)
        time.sleep(DRAINED)

    assert chats.failures() == {}
