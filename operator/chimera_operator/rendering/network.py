"""Who may reach the pods of a pool. Where nothing is said, nobody may."""

from collections.abc import Iterable, Iterator

from chimera_operator.api.names import pool_object_name
from chimera_operator.api.network import Peer
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.gateway.routes import ports
from chimera_operator.rendering.kinds import NETWORK_POLICY
from chimera_operator.rendering.manifest import ENGINE, PICKER, Manifest, new, selector
from chimera_operator.rendering.picker.names import EXT_PROC, FEEDBACK, MANAGEMENT, picker_name

DATA_PLANES = ("gateway.networking.k8s.io/gateway-name", "gateway.envoyproxy.io/owning-gateway-name")
"""Labels of a Gateway's pods: the standard's (GEP-1762), and Envoy Gateway's own."""

PROMETHEUS = {"app.kubernetes.io/name": "prometheus"}

_ANYWHERE: Manifest = {"namespaceSelector": {}}


def network_policies(pool: HeterogeneousModelPool, facts: Facts) -> Iterator[Manifest]:
    """Yield the policies of engines and of the picker."""
    if pool.spec.network_policy.mode == "Enabled":
        yield _engines(pool)
        yield _picker(pool, facts)


def _engines(pool: HeterogeneousModelPool) -> Manifest:
    callers = [*_gateways(pool), {"podSelector": {"matchLabels": selector(pool, PICKER)}}, *_monitoring(pool)]
    name = pool_object_name(pool.metadata.name, "engines")
    return _policy(pool, name, ENGINE, [_rule(callers, ports(pool))])


def _picker(pool: HeterogeneousModelPool, facts: Facts) -> Manifest:
    applications = _peers(pool.spec.network_policy.applications)
    rules = [
        _rule(_gateways(pool), [EXT_PROC]),
        _rule([*_monitoring(pool), *applications, _operator(facts)], [MANAGEMENT]),
        *([_rule(applications, [FEEDBACK])] if applications else []),
    ]
    return _policy(pool, picker_name(pool), PICKER, rules)


def _policy(pool: HeterogeneousModelPool, name: str, component: str, rules: list[Manifest]) -> Manifest:
    spec = {
        "podSelector": {"matchLabels": selector(pool, component)},
        "policyTypes": ["Ingress"],
        "ingress": rules,
    }
    return new(pool, NETWORK_POLICY, name, component=component, spec=spec)


def _rule(callers: Iterable[Manifest], numbers: Iterable[int]) -> Manifest:
    return {"from": list(callers), "ports": [{"protocol": "TCP", "port": number} for number in numbers]}


def _gateways(pool: HeterogeneousModelPool) -> list[Manifest]:
    return _peers(pool.spec.network_policy.gateways) or [
        {**_ANYWHERE, "podSelector": {"matchExpressions": [{"key": key, "operator": "Exists"}]}} for key in DATA_PLANES
    ]


def _monitoring(pool: HeterogeneousModelPool) -> list[Manifest]:
    anywhere = {**_ANYWHERE, "podSelector": {"matchLabels": PROMETHEUS}}
    return _peers(pool.spec.network_policy.monitoring) or [anywhere]


def _operator(facts: Facts) -> Manifest:
    """Return the operator's pods, which ask pickers for the load of models."""
    return {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": facts.operator_namespace}},
        "podSelector": {"matchLabels": dict(facts.operator_labels)},
    }


def _peers(peers: Iterable[Peer]) -> list[Manifest]:
    # A peer without selectors is every pod of the pool's namespace; an empty object would be refused.
    return [peer.model_dump(by_alias=True, exclude_none=True) or {"podSelector": {}} for peer in peers]
