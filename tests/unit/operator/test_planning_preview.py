"""What a plan would do, told beforehand."""

from typing import Any

import pytest
from operated import A100, H100, Operated, document, engine
from toy_cluster import BEGIN, FACTS, ToyCluster

from chimera_operator.api.errors import PoolError
from chimera_operator.api.parse import parse_resource
from chimera_operator.planning.observed import Observed
from chimera_operator.planning.preview import Preview, preview
from chimera_operator.rendering.manifest import Manifest

NOWHERE = Observed(objects={}, facts=FACTS)


def unchanged(told: Manifest, live: Manifest) -> bool:
    return all(told[part] == live[part] for part in told if part != "metadata")


def look(pool: dict[str, Any], observed: Observed = NOWHERE) -> Preview:
    return preview(parse_resource(pool), observed, unchanged, now=BEGIN)


def actions(found: Preview, kind: str) -> dict[str, str]:
    return {change.key.name: change.action for change in found.changes if change.key.kind == kind}


def test_a_new_pool_is_all_creation() -> None:
    """In the order in which it is applied; nothing restarts, as nothing runs."""
    found = look(document(engine("small")))

    assert {change.action for change in found.changes} == {"Create"}
    kinds = [change.key.kind for change in found.changes]
    assert kinds.index("ConfigMap") < kinds.index("Deployment")
    assert found.restarts == ()


def test_cards_and_cache_are_counted() -> None:
    """By the class of card, with all that one replica takes, over all replicas."""
    large = engine(
        "large", parallelism={"tensor": 2, "data": 2}, scaling={"replicas": 2}, descriptor={"parametersB": 30}
    )
    found = look(document(engine("small", scaling={"replicas": 3}), large))

    assert found.cards == {"nvidia-h100": 3 + 2 * 4}
    small, big = found.costs
    assert (small.replicas, small.cards, small.fit.verdict) == (3, 1, "Fits")
    assert big.kv_tokens == 2 * (big.fit.kv_tokens or 0), "each copy of the weights has its own"
    assert found.kv_tokens == 3 * (small.kv_tokens or 0) + 2 * (big.kv_tokens or 0)


def test_a_model_that_scales_tells_how_far() -> None:
    """What it begins with, and what it may come to."""
    found = look(document(engine("small", scaling={"auto": {"minReplicas": 1, "maxReplicas": 8}})))

    assert (found.costs[0].replicas, found.costs[0].most) == (1, 8)


def test_a_model_on_cpus_costs_no_card() -> None:
    """And is in the list nevertheless."""
    model = {
        "name": "tiny",
        "source": {"huggingFace": {"repo": "x/tiny"}},
        "coefficients": {"baseStepMs": 8.0, "stepPerSequenceUs": 30.0, "prefillUsPerToken": 20.0},
        "engine": {"kvTokens": 10_000},
    }
    found = look(document(model))

    assert found.cards == {}
    assert [(cost.model, cost.accelerator, cost.cards) for cost in found.costs] == [("tiny", "", 0)]


def running() -> Operated:
    cluster = ToyCluster(cards={"h": (3, H100), "a": (4, A100)})
    pool = Operated(cluster, document(engine("small", scaling={"replicas": 2}), engine("other")))
    pool.run(120)
    return pool


def test_a_pool_as_it_is_changes_nothing() -> None:
    """Every object is kept."""
    pool = running()

    found = look(pool.document, pool.cluster.observed())

    assert {change.action for change in found.changes} == {"Keep"}
    assert found.restarts == ()


def test_a_changed_model_tells_what_restarts_and_how() -> None:
    """With the cards that are free now; the other model's replicas go on."""
    pool = running()
    pool.edit("small", engine={"maxNumSeqs": 64})

    found = look(pool.document, pool.cluster.observed())

    (restart,) = found.restarts
    assert (restart.model, restart.accelerator, restart.replicas, restart.strategy) == (
        "small",
        "nvidia-h100",
        2,
        "InPlace",
    )
    changed = {name for name, action in actions(found, "Deployment").items() if action == "Change"}
    assert len(changed) == 1


def test_a_model_that_is_gone_is_deleted() -> None:
    """With all that is its own."""
    pool = running()
    pool.document["spec"]["models"] = pool.document["spec"]["models"][:1]

    found = look(pool.document, pool.cluster.observed())

    assert [action for name, action in actions(found, "Deployment").items() if "-other-" in name] == ["Delete"]
    assert [action for name, action in actions(found, "PooledModel").items() if "-other-" in name] == ["Delete"]


def test_a_pool_that_is_not_accepted_is_an_error() -> None:
    """The same that status would tell."""
    with pytest.raises(PoolError, match=r"spec\.models\[0\]\.accelerators: 500\.0 GB"):
        look(document(engine("small", descriptor={"weightsGb": 500, "parametersB": 8})))
