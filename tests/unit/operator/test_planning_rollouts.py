"""Rollouts in the toy cluster: what is free decides the way, and what serves goes on serving."""

from typing import Any

import pytest
from operated import A100, H100, Operated, document, engine
from toy_cluster import ToyCluster

ONE_KIND = [{"class": "nvidia-h100", "nodeSelector": H100}]


def serving(*models: dict[str, Any], cards: int, **spec: Any) -> Operated:
    """Return a pool whose replicas all serve, on one node with so many cards."""
    operated = Operated(ToyCluster(cards={"node": (cards, H100)}), document(*models, **spec))
    operated.run(120)
    assert operated.condition("Ready") == ("True", "Serving")
    operated.least.clear()
    operated.notes.clear()
    return operated


def small(replicas: int = 2, **fields: Any) -> dict[str, Any]:
    return engine("small", accelerators=ONE_KIND, scaling={"replicas": replicas}, **fields)


def test_a_free_card_lets_a_rollout_surge() -> None:
    """With a card to spare a new replica serves before an old one goes, so none is ever missing."""
    operated = serving(small(), cards=3)

    operated.edit("small", engine={"maxNumSeqs": 64})
    operated.run(60)
    assert operated.condition("Progressing") == ("True", "RollingOut")
    assert "new ones first" in operated.message("Progressing")
    operated.run(300)

    assert operated.least["small"] == 2
    assert operated.condition("Progressing") == ("False", "Complete")
    assert operated.condition("CapacityLimited") == ("False", "Sufficient")


def test_without_a_free_card_a_rollout_goes_in_place_and_says_so() -> None:
    """Where nothing is free one replica at a time leaves its card to its successor; a condition tells the figures."""
    operated = serving(small(), cards=2)

    operated.edit("small", engine={"maxNumSeqs": 64})
    operated.run(30)
    assert operated.condition("CapacityLimited") == ("True", "RolloutInPlace")
    assert "each needs 1 nvidia.com/gpu of nvidia-h100, 0 of 2 free on 1 node" in operated.message("CapacityLimited")
    operated.run(300)

    assert operated.least["small"] == 1
    assert operated.model("small").updated_ready_replicas == 2
    assert operated.condition("CapacityLimited") == ("False", "Sufficient")


def test_where_nothing_may_be_missing_a_rollout_waits_for_a_card() -> None:
    """With maxUnavailable 0 the new replica waits, every old one serves, and a card that comes free is taken."""
    operated = serving(small(rollout={"maxUnavailable": 0}), cards=2)

    operated.edit("small", engine={"maxNumSeqs": 64})
    operated.run(600)
    assert operated.condition("CapacityLimited") == ("True", "Unschedulable")
    assert operated.least["small"] == 2

    operated.cluster.cards["new"] = (1, H100)
    operated.run(300)
    assert operated.least["small"] == 2
    assert operated.model("small").updated_ready_replicas == 2
    assert operated.condition("CapacityLimited") == ("False", "Sufficient")


def test_a_surge_whose_card_somebody_else_takes_goes_on_in_place() -> None:
    """What was free when the rollout began may be gone a moment later: it does not hang."""
    operated = serving(small(), cards=3)
    operated.edit("small", engine={"maxNumSeqs": 64})
    operated.look()
    operated.cluster.taken["node"] = 1

    operated.run(30)
    assert operated.condition("CapacityLimited") == ("True", "Unschedulable")
    operated.run(15)
    assert operated.condition("CapacityLimited") == ("True", "RolloutInPlace")
    operated.run(600)

    assert operated.model("small").updated_ready_replicas == 2
    assert operated.least["small"] == 1


def test_two_models_do_not_count_on_the_same_card() -> None:
    """One spare card lets one of two rollouts surge; the other goes in place at once."""
    operated = serving(small(), {**small(), "name": "other"}, cards=5)

    operated.edit("small", engine={"maxNumSeqs": 64})
    operated.edit("other", engine={"maxNumSeqs": 64})
    operated.run(30)

    ways = {
        each["metadata"]["labels"]["chimera.dev/model"]: each["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
        for each in operated.cluster.deployments()
        if "chimera.dev/model" in each["metadata"]["labels"]
    }
    assert sorted(ways.values()) == [0, 1]


@pytest.mark.parametrize(("mode", "least"), [("Surge", 2), ("InPlace", 1), ("Recreate", 0)])
def test_a_mode_that_is_given_holds(mode: str, least: int) -> None:
    """Only Auto looks at what is free."""
    operated = serving(small(rollout={"mode": mode}), cards=3)

    operated.edit("small", engine={"maxNumSeqs": 64})
    operated.run(600)

    assert operated.least["small"] == least
    assert operated.model("small").updated_ready_replicas == 2


def test_a_broken_revision_never_takes_the_serving_one_along() -> None:
    """A surge to something that crashes stops at its first replica, and says which container failed."""
    operated = serving(small(), cards=3)
    operated.edit("small", engine={"maxNumSeqs": 64})
    operated.look()
    broken = operated.model("small").revision
    operated.cluster.broken.add(broken)

    operated.run(900)

    assert operated.least["small"] == 2
    assert operated.condition("Ready") == ("False", "ModelsNotReady"), "nothing of what is wished now serves"
    assert operated.condition("Degraded") == ("True", "CrashLoop")
    failure = operated.model("small").last_failure
    assert failure is not None
    assert (failure.exit_code, failure.container) == (1, "engine")


def test_a_rollout_may_be_taken_back_half_way() -> None:
    """The old revision's replicas that still serve are kept: going back replaces only the new ones."""
    operated = serving(small(3), cards=4)
    before = {pod.name for pod in operated.cluster.pods}
    operated.edit("small", engine={"maxNumSeqs": 64})
    operated.run(75)
    kept = {pod.name for pod in operated.cluster.pods if pod.active and pod.name in before}
    assert 0 < len(kept & {pod.name for pod in operated.cluster.pods if pod.ready}) < 6

    operated.edit("small", engine={})
    operated.run(300)

    assert operated.least["small"] >= 3
    assert kept <= {pod.name for pod in operated.cluster.pods if pod.ready}
    assert operated.condition("Progressing") == ("False", "Complete")


def test_a_broken_rollout_that_is_mended_goes_through() -> None:
    """What follows a rollout that hangs is not held back by it, also long after Kubernetes has given it up."""
    operated = serving(small(), cards=3)
    operated.edit("small", engine={"maxNumSeqs": 64})
    operated.look()
    operated.cluster.broken.add(operated.model("small").revision)
    operated.run(3000, step=20)
    assert operated.condition("Progressing") == ("False", "Stalled")

    operated.edit("small", engine={"maxNumSeqs": 128})
    operated.run(600)

    assert operated.least["small"] == 2
    assert operated.condition("Ready") == ("True", "Serving")
    assert operated.condition("Degraded") == ("False", "NoFailure")
    assert operated.model("small").last_failure is None
    assert operated.told("Recovered")


def test_models_wait_for_the_picker() -> None:
    """Where picker and model change together, the picker is replaced before any replica of the model is."""
    operated = serving(small(), cards=3)

    operated.edit("small", engine={"maxNumSeqs": 64})
    operated.edit(None, picker={"logLevel": "Debug"})
    operated.run(30)
    assert operated.condition("Progressing")[1] == "PickerRollingOut"
    assert operated.model("small").updated_ready_replicas == 0
    replicas = [pod for pod in operated.cluster.pods if "chimera.dev/model" in pod.labels]
    assert len(replicas) == 2

    operated.run(600)
    assert operated.model("small").updated_ready_replicas == 2


def test_a_picker_that_never_comes_up_holds_a_model_back_for_a_time_only() -> None:
    """After Kubernetes' own deadline the model goes on: its change may be what mends the pool."""
    operated = serving(small(), cards=3)
    operated.edit("small", engine={"maxNumSeqs": 64})
    operated.edit(None, picker={"logLevel": "Debug"})
    operated.look()
    new = operated.last
    assert new is not None
    operated.cluster.broken.add("picker")

    operated.run(300)
    assert operated.model("small").updated_ready_replicas == 0
    operated.run(900)

    assert operated.model("small").updated_ready_replicas == 2


def test_only_one_of_a_models_alternatives_is_replaced_at_a_time() -> None:
    """Replicas on two kinds of card do not go away together, so what may be missing is what the pool says."""
    cluster = ToyCluster(cards={"h": (2, H100), "a": (2, A100)})
    operated = Operated(cluster, document(engine("small", scaling={"replicas": 4})))
    operated.run(480)
    assert operated.places("small") == {"nvidia-h100": 2, "nvidia-a100-80gb": 2}
    operated.least.clear()

    operated.edit("small", engine={"maxNumSeqs": 64})
    operated.run(900)

    assert operated.least["small"] == 3
    assert operated.model("small").updated_ready_replicas == 4


def test_a_look_that_finds_nothing_new_writes_nothing() -> None:
    """Planning is the same from whatever moment one looks, also for another operator that remembers nothing."""
    operated = serving(small(), cards=3)
    writes, status = operated.cluster.writes, operated.status

    operated.run(600)
    operated.forget()
    operated.run(600)

    assert operated.cluster.writes == writes
    assert operated.status == status
    assert operated.notes == []


def test_changes_that_pods_do_not_see_restart_nothing() -> None:
    """Routing, replicas and what only Kubernetes needs leave every replica alone."""
    operated = serving(small(), cards=3)
    before = {pod.name for pod in operated.cluster.pods}

    operated.edit("small", descriptor={"parametersB": 8, "generalScore": 0.5})
    operated.edit(None, routing={"policy": "RoundRobin"})
    operated.run(300)

    assert {pod.name for pod in operated.cluster.pods} == before
