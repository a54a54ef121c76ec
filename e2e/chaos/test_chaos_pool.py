"""What clients see of a pool on a real cluster while it changes and while things break.

Each test prints how many chats it had and how many got no whole answer. Half of the chats are streamed. Meanwhile the
pool's status is looked at each second, and has to tell what they see.
"""

import time
from collections.abc import Iterator

import pytest
from served_pools import Served, applied, model, pool
from under_load import ANSWER, NOTICED, RATE, SETTLE, under_load

from chimera_cluster.cluster import Cluster
from chimera_cluster.errors import ClusterError
from chimera_cluster.network import Inside

pytestmark = pytest.mark.timeout(500)


@pytest.fixture(scope="module")
def pooled(cluster: Cluster, release: str, gateway_class: str) -> Iterator[Served]:
    """Two models, one of them twice, and two pickers."""
    assert (release, gateway_class) == ("chimera-system", "envoy")
    members = [model("small", token_ms=50, replicas=2, score=0.6), model("large", token_ms=50, score=0.7)]
    rollout = {"drainSeconds": 30}
    document = pool("assistants", *({**each, "rollout": rollout} for each in members))
    with cluster.space() as space, applied(cluster, space, document) as made:
        yield made


def test_rolling_update_loses_nothing(served: Served) -> None:
    """All replicas of a model are replaced while it answers, and every chat gets its whole answer."""
    old = set(served.pods(model="small"))
    with under_load(served, "rolling update") as (chats, _):
        served.change_model("small", pod={"annotations": {"test/round": "2"}})
        served.await_status("the update", lambda _: not old & set(served.pods(model="small")), seconds=180)
        served.await_ready()

    assert chats.failures() == {}
    assert chats.pods() >= old
    assert chats.pods() & set(served.pods(model="small"))


def test_scaling_loses_nothing(served: Served) -> None:
    """Replicas come and go while the model answers, and every chat gets its whole answer."""
    with under_load(served, "two replicas to four and one") as (chats, _):
        served.change_model("small", scaling={"replicas": 4})
        served.await_status("four replicas", lambda status: status["readyReplicas"] == "5/5")
        time.sleep(SETTLE)
        served.change_model("small", scaling={"replicas": 1})
        served.await_ready()

    assert chats.failures() == {}
    assert len(chats.pods()) == 5


def test_picker_that_is_replaced_loses_nothing(served: Served) -> None:
    """A picker that is asked to end finishes what it began; the other one takes what comes."""
    first, *_ = served.pickers()
    with under_load(served, "a picker ended") as (chats, _):
        served.cluster.kubectl("delete", "pod", first, f"--namespace={served.space}")
        served.await_ready()

    assert chats.failures() == {}


def test_picker_that_is_killed_loses_only_its_own(served: Served) -> None:
    """Of two pickers one is killed: no chat that begins later is lost, and none of those that the other one has."""
    first, *_ = served.pickers()
    with under_load(served, "one of two pickers killed") as (chats, _):
        killed = time.monotonic()
        served.kill(first)
        served.await_ready()

    assert all(each.began < killed + NOTICED for each in chats.failed)
    assert len(chats.failed) < RATE * (ANSWER + NOTICED) / 2
    assert [each for each in chats.ended if each.began < killed < each.ended and not each.failure]


def test_engine_that_is_killed_loses_only_its_own(served: Served) -> None:
    """An engine is killed: what it was answering is lost, later chats go elsewhere, and the status tells it."""
    first, *_ = served.pods(model="small")
    with under_load(served, "one of two engines killed") as (chats, looks):
        killed = time.monotonic()
        served.kill(first)
        served.await_status("the loss", lambda status: status["readyReplicas"] == "2/3", seconds=30)
        served.await_ready()

    assert all(each.began < killed + NOTICED for each in chats.failed)
    assert all(each.model != "large" for each in chats.failed)
    missed = [look.status["readyReplicas"] for look in looks if look.at > killed]
    assert "2/3" in missed
    assert missed[-1] == "3/3"


def test_operator_that_is_away_is_not_missed(served: Served, release: str) -> None:
    """Without any operator chats go on as before; what the spec asks for meanwhile is done when one is back."""
    scale = ("scale", "deployment/chimera-operator", f"--namespace={release}")
    with under_load(served, "no operator") as (chats, _):
        served.cluster.kubectl(*scale, "--replicas=0")
        served.cluster.kubectl(
            "wait", "pod", "--for=delete", "--selector=app.kubernetes.io/component=operator", scale[-1]
        )
        served.change_model("small", scaling={"replicas": 3})
        time.sleep(SETTLE)
        assert len(served.pods(model="small")) == 2
        served.cluster.kubectl(*scale, "--replicas=2")
        served.await_status("three replicas", lambda status: status["readyReplicas"] == "4/4")

    assert chats.failures() == {}


def test_api_server_that_is_away_is_not_missed(served: Served) -> None:
    """The API server is killed and comes back: chats go on as before, and so does the operator afterwards."""
    if not isinstance(served.cluster.network, Inside):
        pytest.skip("its API server is not ours to kill")
    with under_load(served, "API server killed") as (chats, _):
        served.cluster.network.restart("kube-apiserver")
        _await_api_server(served.cluster)
        served.change_model("small", scaling={"replicas": 1})
        served.await_status("one replica fewer", lambda status: status["readyReplicas"] == "2/2")

    assert chats.failures() == {}


def test_no_picker_no_answers_and_then_again(served: Served) -> None:
    """A gateway without any picker refuses, since nobody else knows the models apart; with one it answers again."""
    with under_load(served, "both pickers killed") as (chats, _):
        killed = time.monotonic()
        for each in served.pickers():
            served.kill(each)
        time.sleep(1)
        served.await_ready()
        back = time.monotonic()

    assert chats.failed
    assert all(killed - ANSWER - 1 < each.began < back + NOTICED for each in chats.failed)


def _await_api_server(cluster: Cluster) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            cluster.kubectl("get", "--raw=/readyz")
        except ClusterError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
