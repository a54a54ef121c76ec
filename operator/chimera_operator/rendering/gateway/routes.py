"""The InferencePool, and the route to it."""

from collections.abc import Sequence

from chimera_operator.api.network import Gateway, ParentRef
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering.kinds import GATEWAY, HTTP_ROUTE, INFERENCE_POOL, SERVICE
from chimera_operator.rendering.manifest import ENGINE, ROUTE, Manifest, new, selector
from chimera_operator.rendering.models.ports import port
from chimera_operator.rendering.picker.names import EXT_PROC, picker_name


def ports(pool: HeterogeneousModelPool) -> list[int]:
    """Return every port on which an engine of the pool may listen."""
    return [port(rank) for rank in range(max(model.parallelism.data for model in pool.spec.models))]


def inference_pool(pool: HeterogeneousModelPool) -> Manifest:
    """Return the InferencePool: all engines of all models, and who chooses among them."""
    spec = {
        "selector": {"matchLabels": selector(pool, ENGINE)},
        "targetPorts": [{"number": number} for number in ports(pool)],
        "endpointPickerRef": {
            "kind": SERVICE.name,
            "name": picker_name(pool),
            "port": {"number": EXT_PROC},
            "failureMode": pool.spec.picker.failure_mode,
        },
    }
    return new(pool, INFERENCE_POOL, pool.metadata.name, component=ROUTE, spec=spec)


def route_to_pool(pool: HeterogeneousModelPool, parents: Sequence[ParentRef]) -> Manifest:
    """Return the route to the InferencePool."""
    group, _, _ = INFERENCE_POOL.api_version.partition("/")
    backend = {"group": group, "kind": INFERENCE_POOL.name, "name": pool.metadata.name}
    return route(pool, pool.metadata.name, parents, [backend])


def route(
    pool: HeterogeneousModelPool, name: str, parents: Sequence[ParentRef], backends: Sequence[Manifest]
) -> Manifest:
    """Return a route from the pool's hosts and path to some backends."""
    gateway = pool.spec.gateway or Gateway(integration="None")
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": gateway.path_prefix}}],
        **({} if gateway.path_prefix == "/" else {"filters": [_without_prefix()]}),
        "backendRefs": list(backends),
        # An answer takes as long as it takes; silence is bounded elsewhere.
        "timeouts": {"request": "0s"},
    }
    spec = {
        "parentRefs": [_parent(parent) for parent in parents],
        **({"hostnames": list(gateway.hostnames)} if gateway.hostnames else {}),
        "rules": [rule],
    }
    return new(pool, HTTP_ROUTE, name, component=ROUTE, spec=spec)


def _parent(parent: ParentRef) -> Manifest:
    group, _, _ = GATEWAY.api_version.partition("/")
    given = parent.model_dump(by_alias=True, exclude_none=True)
    return {"group": group, "kind": GATEWAY.name, **given}


def _without_prefix() -> Manifest:
    path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    return {"type": "URLRewrite", "urlRewrite": {"path": path}}
