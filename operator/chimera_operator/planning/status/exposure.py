"""Whether requests find their way to the pool."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from chimera_operator.api.conditions import ConditionType, Finding
from chimera_operator.api.network import ParentRef
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.planning.causes.texts import clean
from chimera_operator.planning.observed import Observed
from chimera_operator.planning.reading.objects import condition, generation_of, items, name_of, part
from chimera_operator.rendering import kinds
from chimera_operator.rendering.facts import ParentKey
from chimera_operator.rendering.gateway.integration import missing
from chimera_operator.rendering.kinds import Kind
from chimera_operator.rendering.manifest import Manifest, namespace

BROUGHT_BY: Mapping[Kind, str] = {
    kinds.INFERENCE_POOL: "the Gateway API Inference Extension",
    kinds.HTTP_ROUTE: "the Gateway API",
    kinds.ENVOY_EXTENSION_POLICY: "Envoy Gateway",
    kinds.BACKEND_TRAFFIC_POLICY: "Envoy Gateway",
}
"""Who installs the kinds that a pool needs."""

POLICIES = (kinds.ENVOY_EXTENSION_POLICY, kinds.BACKEND_TRAFFIC_POLICY, kinds.BACKEND_TLS_POLICY)
"""Kinds that tell for each Gateway whether it obeys them."""


class Problem(NamedTuple):
    """What keeps requests from the pool: in one word, and in a sentence."""

    reason: str
    sentence: str


def programmed(pool: HeterogeneousModelPool, observed: Observed, *, deciding: int) -> Finding:
    """Return whether picker, InferencePool and route are there and accepted.

    Args:
        pool: The pool.
        observed: What was found.
        deciding: Pickers that decide.
    """
    problems = [*_missing(pool, observed), *_gateways(pool, observed), *_routes(pool, observed), *_accepted(observed)]
    if not deciding:
        problems.append(Problem("PickerNotReady", "no picker decides yet"))
    return Finding(
        type=ConditionType.PROGRAMMED,
        status="False" if problems else "True",
        reason=problems[0].reason if problems else "Programmed",
        message="; ".join(problem.sentence for problem in problems) or "the picker and all that leads to it are there",
    )


def route_parents(pool: HeterogeneousModelPool) -> tuple[ParentRef, ...]:
    """Return the Gateways that are to carry the pool's route."""
    gateway = pool.spec.gateway
    return gateway.parent_refs or () if gateway and gateway.integration != "None" else ()


def parent_key(pool: HeterogeneousModelPool, parent: ParentRef) -> ParentKey:
    """Return the Gateway that a pool's parent is."""
    return ParentKey(parent.namespace or namespace(pool), parent.name)


def _missing(pool: HeterogeneousModelPool, observed: Observed) -> Iterator[Problem]:
    for kind in missing(pool, observed.facts):
        sentence = f"the cluster has no {kind.name} ({kind.api_version}), which {BROUGHT_BY[kind]} brings"
        yield Problem(f"{kind.name}Missing", sentence)


def _gateways(pool: HeterogeneousModelPool, observed: Observed) -> Iterator[Problem]:
    found = {ParentKey(part(each, "metadata").get("namespace", ""), name_of(each)): each for each in observed.parents}
    for parent in route_parents(pool):
        key = parent_key(pool, parent)
        if key not in found and key not in observed.facts.controllers:
            yield Problem("GatewayNotFound", f"there is no Gateway {key.namespace}/{key.name}")
        elif refused := _refused(items(found.get(key, {}), "status", "conditions"), "Accepted", "Programmed"):
            yield Problem("GatewayNotProgrammed", f"Gateway {key.namespace}/{key.name}: {refused}")


def _routes(pool: HeterogeneousModelPool, observed: Observed) -> Iterator[Problem]:
    if not route_parents(pool) or not observed.facts.has(kinds.HTTP_ROUTE):
        return
    routes = list(observed.of_kind(kinds.HTTP_ROUTE.name))
    if not routes:
        yield Problem("RoutePending", "the route is about to be made")
    for route in routes:
        for parent in items(route, "spec", "parentRefs"):
            yield from _of_parent(route, parent)


def _of_parent(route: Manifest, parent: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what a Gateway says against a route."""
    said = [each for each in items(route, "status", "parents") if _same(part(each, "parentRef"), parent, route)]
    if not any(_current(each, route) for each in said):
        yield Problem("RoutePending", f"Gateway {parent['name']} has not said yet whether it takes the route")
    for each in said:
        if refused := _refused(items(each, "conditions"), "Accepted", "ResolvedRefs"):
            yield Problem("RouteNotAccepted", f"Gateway {parent['name']} does not take the route: {refused}")


def _same(one: Mapping[str, Any], other: Mapping[str, Any], route: Manifest) -> bool:
    own = part(route, "metadata").get("namespace", "")
    return all(
        (one.get(key) or default) == (other.get(key) or default)
        for key, default in (("name", ""), ("namespace", own), ("sectionName", ""))
    )


def _current(said: Mapping[str, Any], route: Manifest) -> bool:
    accepted, generation = condition(items(said, "conditions"), "Accepted"), generation_of(route)
    return bool(accepted) and int(accepted.get("observedGeneration", generation)) >= generation


def _accepted(observed: Observed) -> Iterator[Problem]:
    """Yield what Gateways say against the pool's other objects."""
    for kind, list_of, reason in (
        *((policy, "ancestors", "PolicyNotAccepted") for policy in POLICIES),
        (kinds.INFERENCE_POOL, "parents", "InferencePoolNotAccepted"),
    ):
        for manifest in observed.of_kind(kind.name):
            for each in items(manifest, "status", list_of):
                if refused := _refused(items(each, "conditions"), "Accepted", "ResolvedRefs"):
                    yield Problem(reason, f"{kind.name} {name_of(manifest)} is not obeyed: {refused}")


def _refused(conditions: list[Mapping[str, Any]], *types: str) -> str:
    """Return what the first condition that does not hold says; empty where none says no."""
    no = next((found for each in types if (found := condition(conditions, each)).get("status") == "False"), {})
    return f"{no['reason']}, {clean(no.get('message', ''))}".rstrip(", ") if no else ""
