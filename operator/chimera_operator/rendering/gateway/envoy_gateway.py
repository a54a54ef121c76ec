"""The route through Envoy Gateway, which knows no InferencePool.

The route leads to a Service of all engines; ext_proc is a policy on it, and so is that the header with the picker's
destination says which of them gets the request.
"""

from collections.abc import Iterator, Sequence

from chimera_operator.api.names import POOL_LABEL, pool_object_name
from chimera_operator.api.network import ParentRef
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering.envoy import DESTINATION, DESTINATION_METADATA, ENGINE_IDLE, IDLE, MANY, SUBSET_METADATA
from chimera_operator.rendering.gateway.routes import ports, route
from chimera_operator.rendering.kinds import BACKEND_TRAFFIC_POLICY, ENVOY_EXTENSION_POLICY, HTTP_ROUTE, SERVICE
from chimera_operator.rendering.manifest import ENGINE, ROUTE, Manifest, new
from chimera_operator.rendering.models.ports import port_name
from chimera_operator.rendering.picker.names import EXT_PROC, picker_name

PICKER_ANSWERS = "1000s"
"""From the headers to the picker's answer, which comes after the body and, where requests wait for an engine that has
yet to start, after up to 900 s of that. Istio gives as much."""

CONNECT = "5s"  # to an engine of the cluster's network

FULL_DUPLEX = "FullDuplexStreamed"


def through_envoy_gateway(pool: HeterogeneousModelPool, parents: Sequence[ParentRef]) -> Iterator[Manifest]:
    """Yield what leads requests through Envoy Gateway, the route last: without policies it would pass the picker by."""
    name = pool_object_name(pool.metadata.name, "envoy")
    yield _engines(pool)
    yield _endpoint_picker(pool, name)
    yield _destination(pool, name)
    group_and_kind = {"group": "", "kind": SERVICE.name}
    backends = [{**group_and_kind, "name": _engines_name(pool), "port": number} for number in ports(pool)]
    yield route(pool, name, parents, backends)


def _engines_name(pool: HeterogeneousModelPool) -> str:
    return pool_object_name(pool.metadata.name, "engines")


def _engines(pool: HeterogeneousModelPool) -> Manifest:
    """Return the Service that tells Envoy the engines' addresses; which of them it takes, the header says.

    Headless, as Envoy is to know engines themselves however Envoy Gateway is configured. It has the pickers' addresses
    too, where nobody listens: of a Service without any, as all models are asleep, Envoy Gateway makes a route that
    answers 503 and asks no picker, so that nothing would wake them.
    """
    numbers = [
        {"name": port_name(rank), "port": number, "targetPort": number, "appProtocol": "http"}
        for rank, number in enumerate(ports(pool))
    ]
    spec = {"clusterIP": "None", "selector": {POOL_LABEL: pool.metadata.name}, "ports": numbers}
    return new(pool, SERVICE, _engines_name(pool), component=ENGINE, spec=spec)


def _endpoint_picker(pool: HeterogeneousModelPool, name: str) -> Manifest:
    processing = {
        "backendRefs": [{"group": "", "kind": SERVICE.name, "name": picker_name(pool), "port": EXT_PROC}],
        "messageTimeout": PICKER_ANSWERS,
        "failOpen": False,
        "processingMode": {"request": {"body": FULL_DUPLEX}, **_response(pool)},
        "metadata": {
            "accessibleNamespaces": [DESTINATION_METADATA, SUBSET_METADATA],
            "writableNamespaces": [DESTINATION_METADATA],
        },
        "backendSettings": {"circuitBreaker": _unlimited()},
    }
    spec = {"targetRefs": [_target(name)], "extProc": [processing]}
    return new(pool, ENVOY_EXTENSION_POLICY, name, component=ROUTE, spec=spec)


def _response(pool: HeterogeneousModelPool) -> Manifest:
    """Return how much of answers the picker is shown."""
    match pool.spec.routing.accounting:
        case "Skip":
            return {}
        case "Headers":
            return {"response": {}}
        case _:
            return {"response": {"body": FULL_DUPLEX}}


def _destination(pool: HeterogeneousModelPool, name: str) -> Manifest:
    spec = {
        "targetRefs": [_target(name)],
        # What the Gateway's owner has set, such as rate limits, holds here as well.
        "mergeType": "StrategicMerge",
        "loadBalancer": {
            "type": "LeastRequest",
            "endpointOverride": {"extractFrom": [{"header": DESTINATION}]},
        },
        "circuitBreaker": _unlimited(),
        "timeout": {
            "tcp": {"connectTimeout": CONNECT},
            "http": {"requestTimeout": "0s", "streamIdleTimeout": IDLE, "connectionIdleTimeout": ENGINE_IDLE},
        },
    }
    return new(pool, BACKEND_TRAFFIC_POLICY, name, component=ROUTE, spec=spec)


def _unlimited() -> Manifest:
    return {"maxConnections": MANY, "maxPendingRequests": MANY, "maxParallelRequests": MANY}


def _target(name: str) -> Manifest:
    group, _, _ = HTTP_ROUTE.api_version.partition("/")
    return {"group": group, "kind": HTTP_ROUTE.name, "name": name}
