"""Envoy's bootstrap for the picker under test, as the reference's charts and Istio write it."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from chimera_conformance import wire
from chimera_conformance.case import Profile
from chimera_conformance.target import LOOPBACK, Endpoint, Target, split

NOBODY = "192.0.2.1:9"  # an address of RFC 5737
READ_AHEAD = 32 * 1024  # bytes; the reference's, so that bodies come in pieces
WHOLE = 16 * 1024 * 1024  # bytes; a gateway that buffers has to hold the largest body
CONNECT = "2s"  # engines are on this machine
PICKER_ANSWERS = "20s"  # beyond every limit of the kit's own

_TYPES = "type.googleapis.com/envoy.extensions"
_HTTP = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


class Listener(Enum):
    """The ways in; each is one kind of gateway."""

    STREAMED = "streamed"  # full duplex, the destination header is followed (ORIGINAL_DST), where it is one endpoint
    HTTP2 = "http2"  # the same by HTTP/2: a second Envoy listener is the client
    SUBSET = "subset"  # the same, with a hint that allows the pool's last endpoint only
    NO_SUBSET = "no-subset"  # the same, with a hint that allows nobody of the pool
    BUFFERED = "buffered"  # bodies buffered, the destination header is followed
    OVERRIDE = "override"  # full duplex, the destination metadata is followed (override_host)


def bootstrap(target: Target, ports: Mapping[Listener, int]) -> dict[str, Any]:
    """Return Envoy's bootstrap, plain HTTP on loopback, with a listener for each kind of gateway.

    ORIGINAL_DST takes no list of endpoints, so a picker that was set up to name several meets override_host everywhere.
    """
    follows = "pool" if Profile.FALLBACK in target.profiles else "destinations"
    hints = {Listener.SUBSET: [str(target.endpoints[-1])], Listener.NO_SUBSET: [NOBODY]}
    listeners = [_listener(kind, port, follows=follows, hint=hints.get(kind)) for kind, port in ports.items()]
    clusters = [
        _destinations(),
        _pool(target.endpoints),
        _picker(target),
        _cluster("loop", [Endpoint(LOOPBACK, ports[Listener.STREAMED])], {"http2_protocol_options": {}}),
    ]
    return {"static_resources": {"listeners": listeners, "clusters": clusters}}


def _listener(kind: Listener, port: int, *, follows: str, hint: Sequence[str] | None) -> dict[str, Any]:
    buffered = kind is Listener.BUFFERED
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": kind.value,
        "http_protocol_options": {"enable_trailers": True},
        "route_config": {"virtual_hosts": [_route(kind, follows)]},
        "http_filters": [*_filters(kind, hint), _typed("filters.http.router.v3.Router", {})],
    }
    return {
        "name": kind.value,
        "address": _address(Endpoint(LOOPBACK, port)),
        "per_connection_buffer_limit_bytes": WHOLE if buffered else READ_AHEAD,
        "enable_reuse_port": False,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def _route(kind: Listener, follows: str) -> dict[str, Any]:
    cluster = {Listener.HTTP2: "loop", Listener.OVERRIDE: "pool"}.get(kind, follows)
    route: dict[str, Any] = {"cluster": cluster, "timeout": "0s"}
    if cluster == "pool":
        route["retry_policy"] = {"retry_on": "connect-failure,reset-before-request", "num_retries": 3}
    return {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}


def _filters(kind: Listener, hint: Sequence[str] | None) -> list[dict[str, Any]]:
    if kind is Listener.HTTP2:
        return []
    mode = "BUFFERED" if kind is Listener.BUFFERED else "FULL_DUPLEX_STREAMED"
    return [*([] if hint is None else [_hint(hint)]), _ext_proc(mode)]


def _hint(endpoints: Sequence[str]) -> dict[str, Any]:
    value = {wire.SUBSET: list(endpoints)}
    return _typed(
        "filters.http.set_metadata.v3.Config",
        {"metadata": [{"metadata_namespace": wire.SUBSET_NAMESPACE, "value": value}]},
    )


def _ext_proc(mode: str) -> dict[str, Any]:
    trailers = "SKIP" if mode == "BUFFERED" else "SEND"
    return _typed(
        "filters.http.ext_proc.v3.ExternalProcessor",
        {
            "grpc_service": {"envoy_grpc": {"cluster_name": "picker"}},
            "failure_mode_allow": False,
            "message_timeout": PICKER_ANSWERS,
            "processing_mode": {
                "request_header_mode": "SEND",
                "request_body_mode": mode,
                "request_trailer_mode": trailers,
                "response_header_mode": "SEND",
                "response_body_mode": mode,
                "response_trailer_mode": trailers,
            },
            "metadata_options": {
                "forwarding_namespaces": {"untyped": [wire.DESTINATION_NAMESPACE, wire.SUBSET_NAMESPACE]},
                "receiving_namespaces": {"untyped": [wire.DESTINATION_NAMESPACE]},
            },
        },
    )


def _destinations() -> dict[str, Any]:
    return {
        "name": "destinations",
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": CONNECT,
        "original_dst_lb_config": {"use_http_header": True, "http_header_name": wire.DESTINATION},
        "typed_extension_protocol_options": _protocol({"http_protocol_options": {"enable_trailers": True}}),
    }


def _pool(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    source = {"metadata": {"key": wire.DESTINATION_NAMESPACE, "path": [{"key": wire.DESTINATION}]}}
    served = {"key": wire.DESTINATION_NAMESPACE, "path": [{"key": wire.SERVED}]}
    spread = _typed("load_balancing_policies.round_robin.v3.RoundRobin", {})
    policy = {
        "override_host_sources": [source],
        "selected_host_key": served,
        "fallback_policy": {"policies": [{"typed_extension_config": spread}]},
    }
    override = _typed("load_balancing_policies.override_host.v3.OverrideHost", policy)
    return {
        **_cluster("pool", endpoints, {"http_protocol_options": {"enable_trailers": True}}),
        "load_balancing_policy": {"policies": [{"typed_extension_config": override}]},
    }


def _picker(target: Target) -> dict[str, Any]:
    host, port = split(target.address)
    cluster = _cluster("picker", [Endpoint(host, port)], {"http2_protocol_options": {}})
    if not target.plaintext:
        tls = {"@type": f"{_TYPES}.transport_sockets.tls.v3.UpstreamTlsContext"}
        cluster["transport_socket"] = {"name": "tls", "typed_config": tls}
    return {**cluster, "type": "STRICT_DNS"}


def _cluster(name: str, endpoints: Sequence[Endpoint], protocol: Mapping[str, Any]) -> dict[str, Any]:
    hosts = [{"endpoint": {"address": _address(endpoint)}} for endpoint in endpoints]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": CONNECT,
        "typed_extension_protocol_options": _protocol(protocol),
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": hosts}]},
    }


def _protocol(explicit: Mapping[str, Any]) -> dict[str, Any]:
    options = {"@type": f"type.googleapis.com/{_HTTP}", "explicit_http_config": explicit}
    return {_HTTP: options}


def _typed(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": kind, "typed_config": {"@type": f"{_TYPES}.{kind}", **config}}


def _address(endpoint: Endpoint) -> dict[str, Any]:
    return {"socket_address": {"address": endpoint.ip, "port_value": endpoint.port}}
