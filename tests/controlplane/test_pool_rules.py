"""The API server itself refuses pools that break a rule, and says which; it has nothing but the definition."""

from collections.abc import Iterator
from typing import Any

import pytest
from admissions import Admission, RefusedError, admission
from pool_rules import BROKEN, CASES, KEPT, Case, resource, small

from chimera_operator.api.crds import definitions
from chimera_operator.api.parse import parse_resource

__all__ = ["admission"]

pytestmark = pytest.mark.anyio

TRANSITIONS = {"pool and model cannot change", "storageClassName and accessMode cannot change, a claim keeps them"}


@pytest.mark.parametrize("document", KEPT.values(), ids=KEPT)
async def test_pool_that_keeps_the_rule_is_stored(admission: Admission, document: dict[str, Any]) -> None:
    """And as what is stored, with the server's defaults in it, it is still the same pool to this package."""
    stored = await admission.admit(document)

    assert parse_resource(stored).spec == parse_resource(document).spec


@pytest.mark.parametrize(("case", "document"), BROKEN.values(), ids=BROKEN)
async def test_pool_that_breaks_the_rule_is_refused(admission: Admission, case: Case, document: dict[str, Any]) -> None:
    """The refusal names the rule."""
    with pytest.raises(RefusedError) as refused:
        await admission.admit(document)

    assert case.sentence in str(refused.value)


def test_every_rule_of_the_definitions_is_tried() -> None:
    """Each rule has its documents in the table, or its own test here where it is about a change."""
    said = {rule["message"] for definition in definitions().values() for rule in _rules(definition)}

    assert said == {case.sentence for case in CASES} | TRANSITIONS


async def test_claim_of_a_cache_keeps_its_storage(admission: Admission) -> None:
    """A claim's class and mode cannot change, so the pool's cannot either; its size may."""
    stored = await admission.elsewhere()

    def pool(**claim: Any) -> dict[str, Any]:
        return small(cache={"weights": {"claimTemplate": {"size": "10Gi", **claim}}})

    await stored.create(pool(storageClassName="fast"))
    await stored.update(pool(storageClassName="fast", size="20Gi", accessMode="ReadWriteMany"))

    for change in ({"storageClassName": "slow"}, {"storageClassName": "fast", "accessMode": "ReadWriteOnce"}):
        with pytest.raises(RefusedError, match="storageClassName and accessMode cannot change"):
            await stored.update(pool(**change))
    await stored.update(small(cache={"weights": {"emptyDir": {}}}))


async def test_model_stays_with_its_pool(admission: Admission) -> None:
    """The child of one pool never becomes that of another one, or another model; its replicas are free."""
    stored = await admission.elsewhere()
    child = {"apiVersion": "chimera.dev/v1alpha1", "kind": "PooledModel", "metadata": {"name": "child"}}

    await stored.create({**child, "spec": {"pool": "pool", "model": "small"}})
    await stored.update({**child, "spec": {"replicas": 3}})

    for change in ({"pool": "other"}, {"model": "large"}):
        with pytest.raises(RefusedError, match="pool and model cannot change"):
            await stored.update({**child, "spec": change})


async def test_largest_pool_is_checked_within_the_servers_budget(admission: Admission) -> None:
    """As many models, names and arguments as the schema allows, all unlike, are not too many for the rules."""
    hub = {"huggingFace": {"repo": "org/x"}}
    models = [
        {
            "name": f"model-{n}",
            "aliases": [f"{'a' * 240}-{n}-{m}" for m in range(16)],
            "loras": [{"name": f"{'l' * 240}-{n}-{m}", "source": hub} for m in range(16)],
            "engine": {"args": [f"--unknown-{m}={'x' * 100}" for m in range(64)]},
            "accelerators": [{"class": f"class-{m}"} for m in range(8)],
        }
        for n in range(32)
    ]
    await admission.admit(resource(*models, routing={"virtualModels": [f"{'v' * 240}-{n}" for n in range(32)]}))


def _rules(schema: Any) -> Iterator[dict[str, str]]:
    if isinstance(schema, dict):
        yield from schema.get("x-kubernetes-validations", ())
        for inner in schema.values():
            yield from _rules(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _rules(inner)
