"""A pool that follows its load, from zero to its bounds and back, in the toy cluster."""

from typing import Any

import pytest
from operated import H100, Operated, document, engine
from toy_cluster import FACTS, ToyCluster

from chimera_operator.api.parse import parse_resource
from chimera_operator.planning.observed import Demand, Observed, asks_for_demand, asks_for_nodes

ONE_KIND = [{"class": "nvidia-h100", "nodeSelector": H100}]


def scaled(cards: int = 8, **auto: Any) -> Operated:
    """Return a pool whose model has 1,000 tokens for each of at most six replicas."""
    scaling = {"auto": {"maxReplicas": 6, "targetBacklogTokensPerReplica": 1000, **auto}}
    flow = {"flowControl": {"enabled": True}}
    model = engine("small", accelerators=ONE_KIND, scaling=scaling)
    return Operated(ToyCluster(cards={"n": (cards, H100)}), document(model, routing=flow))


def asked(tokens: int = 0, *, waiting: int = 0, idle: float = 0.0) -> dict[str, Demand]:
    return {"small": Demand(backlog_tokens=tokens, waiting=waiting, idle_seconds=idle)}


def test_replicas_follow_the_load_and_go_after_it() -> None:
    """Up within a minute, down after the five that the load must have been low."""
    pool = scaled()
    pool.cluster.demand = asked(1000)
    pool.run(120)
    assert pool.model("small").ready_replicas == 1

    pool.cluster.demand = asked(3900)
    pool.run(180)
    assert pool.model("small").ready_replicas == 4

    pool.cluster.demand = asked(100)
    pool.run(240)
    assert pool.model("small").ready_replicas == 4
    pool.run(120)
    assert pool.model("small").ready_replicas == 1


def test_the_load_is_looked_at_without_anything_happening() -> None:
    """The plan asks to be made again every fifteen seconds."""
    pool = scaled()
    pool.cluster.demand = asked(1000)
    pool.run(120)
    looks = pool.looks

    pool.run(150)

    assert pool.last is not None
    assert pool.last.again == 15.0
    assert 9 <= pool.looks - looks <= 11


def test_replicas_without_a_place_are_not_made_more_of() -> None:
    """A full cluster gets no longer a queue for a longer backlog."""
    pool = scaled(cards=1)
    pool.cluster.demand = asked(2500)
    pool.run(300)
    assert pool.model("small").replicas == 3

    pool.cluster.demand = asked(6000)
    pool.run(300)

    assert pool.model("small").replicas == 3


def test_a_model_sleeps_and_is_woken_by_a_request() -> None:
    """Asleep its status says Idle and the pool is ready, as requests wait; woken it begins as a new one does."""
    pool = scaled(scaleToZero={"idleSeconds": 60})
    pool.cluster.demand = asked(500)
    pool.run(120)
    pool.notes.clear()

    pool.cluster.demand = asked(idle=61)
    pool.run(60)
    assert pool.model("small").phase == "Idle"
    assert pool.condition("Ready") == ("True", "Serving")
    assert pool.condition("Progressing") == ("False", "Complete")
    assert [pod for pod in pool.cluster.pods if "chimera.dev/model" in pod.labels] == []

    pool.cluster.demand = asked(300, waiting=1)
    pool.run(30)
    assert pool.model("small").phase == "Starting"
    pool.run(90)
    assert pool.model("small").phase == "Ready"
    told = [note.reason for note in pool.notes if note.message.startswith("small: ")]
    assert [reason for reason in told if reason != "ModelsNotReady"] == ["ScaledToZero", "Woken", "Placed"]


def test_while_no_picker_answers_replicas_stay() -> None:
    """A picker that is away is no reason to give cards back, and after a restart of the operator neither."""
    pool = scaled(scaleToZero={"idleSeconds": 60})
    pool.cluster.demand = asked(4000)
    pool.run(240)
    assert pool.model("small").ready_replicas == 4

    pool.cluster.demand = None
    pool.run(900)
    pool.forget()
    pool.run(900)

    assert pool.model("small").ready_replicas == 4


def test_what_the_operator_scales_it_writes() -> None:
    """The PooledModel shows it, and a person's number there does not last."""
    pool = scaled()
    pool.cluster.demand = asked(2000)
    pool.run(180)
    pool.cluster.scale("PooledModel", 5)

    pool.run(400)

    (scale,) = [each for key, each in pool.cluster.objects.items() if key.kind == "PooledModel"]
    assert scale["spec"]["replicas"] == 2


@pytest.mark.parametrize(
    ("fields", "nodes", "demand"),
    [
        ({}, True, False),
        ({"scaling": {"auto": {"maxReplicas": 2}}}, True, True),
        ({"accelerators": []}, False, False),
        ({"accelerators": [{"class": "nvidia-h100", "resourceClaimTemplate": {"name": "x"}}]}, False, False),
    ],
)
def test_a_pool_says_what_has_to_be_observed_for_it(fields: dict[str, Any], *, nodes: bool, demand: bool) -> None:
    """Nodes and pickers are asked for the pools that need them only."""
    coefficients = {"baseStepMs": 8.0, "stepPerSequenceUs": 30.0, "prefillUsPerToken": 20.0}
    model = engine("small", coefficients=coefficients, engine={"kvTokens": 1000}, **fields)

    pool = parse_resource(document(model))

    assert (asks_for_nodes(pool), asks_for_demand(pool)) == (nodes, demand)
    assert Observed(objects={}, facts=FACTS).demand is None
