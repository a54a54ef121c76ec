"""From ports to the bootstrap of the Envoy that fronts a pool on one machine.

A request goes through the picker (ext_proc, both bodies streamed in full duplex) and then to whatever `ip:port` the
picker wrote into the destination header, so Envoy has to know neither models nor endpoints.
"""

from typing import Any

LOOPBACK = "127.0.0.1"
DESTINATION = "x-gateway-destination-endpoint"  # the endpoint picker protocol's name (GIE proposal 004)
DESTINATION_METADATA = "envoy.lb"
SUBSET_METADATA = "envoy.lb.subset_hint"

CHUNK_BYTES = 1 << 20  # read ahead on a connection: a 16 MiB body is 16 messages to the picker, not 512
IDLE = "3600s"  # a queued stream may be silent; an hour is beyond any queue that a client would wait in
PICKER_ANSWERS = "600s"  # counted from the headers, and the picker answers them after the body: room for a slow upload
HEADERS_COMPLETE = "10s"  # a client that takes longer for its headers only holds a connection
LOGGED_WITHIN = "0.2s"  # so much later than they end are answers known to have ended; many are then logged together
CONNECT = "2s"  # engines are on this machine
ENGINE_IDLE = "60s"  # below every engine's keep-alive, so that Envoy is never the one surprised by a close
MANY = 65_535  # requests at once; Envoy's default of 1024 is below what a pool of agents holds open

_TYPES = "type.googleapis.com/envoy.extensions"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def bootstrap(*, port: int, picker_port: int, accounting: str = "Observe") -> dict[str, Any]:
    """Return Envoy's bootstrap, plain HTTP on loopback, without an admin interface.

    Args:
        port: Where clients connect.
        picker_port: Where the picker serves ext_proc.
        accounting: How much of answers the picker looks at; see `Routing.accounting`.
    """
    return {
        "static_resources": {
            "listeners": [_listener(port, accounting)],
            "clusters": [_engines(), _picker(picker_port)],
        },
        "overload_manager": {"resource_monitors": [_connection_limit()]},
    }


def _listener(port: int, accounting: str) -> dict[str, Any]:
    return {
        "name": "pool",
        "address": _address(port),
        "per_connection_buffer_limit_bytes": CHUNK_BYTES,
        # Without it a second Envoy could bind the same port and take half of the connections.
        "enable_reuse_port": False,
        "filter_chains": [
            {"filters": [_typed("envoy.filters.network.http_connection_manager", _connection_manager(accounting))]}
        ],
    }


def _connection_manager(accounting: str) -> dict[str, Any]:
    # An answer that the picker leaves after the request would else end for it with time alone.
    logged = {"access_log": [_access_log()]} if accounting == "Auto" else {}
    return {
        **logged,
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "pool",
        "use_remote_address": True,
        "normalize_path": True,
        "merge_slashes": True,
        "request_headers_timeout": HEADERS_COMPLETE,
        "stream_idle_timeout": IDLE,
        "early_header_mutation_extensions": [_without_client_destination()],
        "local_reply_config": {"mappers": [_engine_failure()]},
        "route_config": {"virtual_hosts": [_everything_to_the_destination()]},
        "http_filters": [_endpoint_picker(accounting), _router()],
    }


def _without_client_destination() -> dict[str, Any]:
    """Drop what only the picker may say; a client could otherwise reach any port of this machine."""
    return _typed(
        "envoy.http.early_header_mutation.header_mutation",
        {
            "@type": f"{_TYPES}.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": [{"remove_on_match": {"key_matcher": {"prefix": DESTINATION}}}],
        },
    )


def _engine_failure() -> dict[str, Any]:
    """Put Envoy's own words about an engine that broke off into OpenAI's error shape."""
    error = {"message": "The engine did not answer; try again", "type": "server_error", "param": None, "code": None}
    return {
        "filter": {"response_flag_filter": {"flags": ["UF", "UC", "UH", "UO", "URX", "UR"]}},
        "body_format_override": {"json_format": {"error": error}},
    }


def _everything_to_the_destination() -> dict[str, Any]:
    # No limit on a whole answer: generation takes as long as it takes, and silence is bounded by the idle time.
    route = {"cluster": "engines", "timeout": "0s", "idle_timeout": IDLE}
    return {"name": "pool", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}


def _access_log() -> dict[str, Any]:
    """Tell the picker when answers have ended."""
    return _typed(
        "envoy.access_loggers.http_grpc",
        {
            "@type": f"{_TYPES}.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
            "common_config": {
                "log_name": "chimera",
                "transport_api_version": "V3",
                "buffer_flush_interval": LOGGED_WITHIN,
                "grpc_service": {"envoy_grpc": {"cluster_name": "picker"}},
            },
        },
    )


def _endpoint_picker(accounting: str) -> dict[str, Any]:
    # Without bodies Envoy still waits for trailers, so the stream lasts for as long as the answer, at no cost.
    unseen = accounting in {"Headers", "Skip"}
    return _typed(
        "envoy.filters.http.ext_proc",
        {
            "@type": f"{_TYPES}.filters.http.ext_proc.v3.ExternalProcessor",
            "grpc_service": {"envoy_grpc": {"cluster_name": "picker"}},
            "failure_mode_allow": False,
            "message_timeout": PICKER_ANSWERS,
            "processing_mode": {
                "request_header_mode": "SEND",
                "request_body_mode": "FULL_DUPLEX_STREAMED",
                "request_trailer_mode": "SEND",
                "response_header_mode": "SKIP" if accounting == "Skip" else "SEND",
                "response_body_mode": "NONE" if unseen else "FULL_DUPLEX_STREAMED",
                "response_trailer_mode": "SEND",
            },
            "metadata_options": {
                "forwarding_namespaces": {"untyped": [DESTINATION_METADATA, SUBSET_METADATA]},
                "receiving_namespaces": {"untyped": [DESTINATION_METADATA]},
            },
        },
    )


def _router() -> dict[str, Any]:
    router = {"@type": f"{_TYPES}.filters.http.router.v3.Router", "suppress_envoy_headers": True}
    return _typed("envoy.filters.http.router", router)


def _engines() -> dict[str, Any]:
    return {
        "name": "engines",
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "original_dst_lb_config": {"use_http_header": True, "http_header_name": DESTINATION},
        "connect_timeout": CONNECT,
        "circuit_breakers": _unlimited(),
        "typed_extension_protocol_options": _http(
            {"http_protocol_options": {}}, common_http_protocol_options={"idle_timeout": ENGINE_IDLE}
        ),
    }


def _picker(port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": "picker",
        "type": "STATIC",
        "connect_timeout": CONNECT,
        "circuit_breakers": _unlimited(),
        "typed_extension_protocol_options": _http({"http2_protocol_options": {}}),
        "load_assignment": {"cluster_name": "picker", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _http(explicit: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {
        _HTTP_OPTIONS: {"@type": f"type.googleapis.com/{_HTTP_OPTIONS}", "explicit_http_config": explicit, **options}
    }


def _unlimited() -> dict[str, Any]:
    return {"thresholds": [{"max_connections": MANY, "max_pending_requests": MANY, "max_requests": MANY}]}


def _connection_limit() -> dict[str, Any]:
    limit = {
        "@type": f"{_TYPES}.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        "max_active_downstream_connections": MANY,
    }
    return _typed("envoy.resource_monitors.global_downstream_max_connections", limit)


def _typed(name: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "typed_config": config}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}
