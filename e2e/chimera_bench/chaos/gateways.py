"""Envoys for faults: what `chimera up` renders for one machine, with what a cluster's gateway has beside it."""

from collections.abc import Callable, Sequence
from typing import Any

from chimera_bench.load import gateway
from chimera_operator.rendering.envoy import DESTINATION, DESTINATION_METADATA

Document = dict[str, Any]
Edit = Callable[[Document], None]

HEALTH = "envoy.service.ext_proc.v3.ExternalProcessor"
"""The service that gateways ask pickers' health of."""

_HEALTH_EVERY = "0.5s"  # so often, and for so long; charts take 10 s, which would be most of what is measured
_UNHEALTHY_AFTER, _HEALTHY_AFTER = 2, 1  # answers

_OVERRIDE = "type.googleapis.com/envoy.extensions.load_balancing_policies.override_host.v3.OverrideHost"
_ROUND_ROBIN = "type.googleapis.com/envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin"


def replicas(ports: Sequence[int]) -> Edit:
    """Let Envoy ask several pickers, and none of them where it knows that none serves."""

    def edit(document: Document) -> None:
        picker = _cluster(document, "picker")
        picker["load_assignment"] = gateway.cluster("picker", ports)["load_assignment"]
        picker["lb_policy"] = "LEAST_REQUEST"
        picker["common_lb_config"] = {"healthy_panic_threshold": {"value": 0}}

    return edit


def checking_health(document: Document) -> None:
    """Let Envoy ask pickers whether they serve."""
    check = {
        "timeout": _HEALTH_EVERY,
        "interval": _HEALTH_EVERY,
        "no_traffic_interval": _HEALTH_EVERY,
        "unhealthy_threshold": _UNHEALTHY_AFTER,
        "healthy_threshold": _HEALTHY_AFTER,
        "grpc_health_check": {"service_name": HEALTH},
    }
    _cluster(document, "picker")["health_checks"] = [check]


def detecting_outliers(document: Document) -> None:
    """Let Envoy leave a replica at the first connection that fails, without waiting for what its health says."""
    _cluster(document, "picker")["outlier_detection"] = {
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 1,
        "interval": "0.1s",
        "base_ejection_time": "1s",
        "max_ejection_percent": 100,
    }


def failing_open(engines: Sequence[int]) -> Edit:
    """Let requests pass that no picker can be asked about, to members of the pool in turn."""

    def edit(document: Document) -> None:
        picker_filter(document)["failure_mode_allow"] = True
        chosen = {"metadata": {"key": DESTINATION_METADATA, "path": [{"key": DESTINATION}]}}
        override = {"@type": _OVERRIDE, "override_host_sources": [chosen], "fallback_policy": _in_turn()}
        policy = {"name": "envoy.load_balancing_policies.override_host", "typed_config": override}
        members = gateway.cluster("engines", engines, load_balancing_policy={"policies": [_policy(policy)]})
        clusters = document["static_resources"]["clusters"]
        clusters[:] = [members if cluster["name"] == "engines" else cluster for cluster in clusters]

    return edit


def impatient(seconds: float) -> Edit:
    """Let Envoy wait so long for a picker's answer."""

    def edit(document: Document) -> None:
        picker_filter(document)["message_timeout"] = f"{seconds:g}s"

    return edit


def pinging(seconds: float) -> Edit:
    """Let Envoy give up connections to pickers that do not answer a ping within so many seconds."""

    def edit(document: Document) -> None:
        (options,) = _cluster(document, "picker")["typed_extension_protocol_options"].values()
        keepalive = {"interval": f"{seconds:g}s", "timeout": f"{seconds / 2:g}s"}
        options["explicit_http_config"]["http2_protocol_options"]["connection_keepalive"] = keepalive

    return edit


def buffered(document: Document) -> None:
    """Let Envoy hand over whole bodies of requests, and nothing of answers but their headers."""
    unseen = {"response_body_mode": "NONE", "request_trailer_mode": "SKIP", "response_trailer_mode": "SKIP"}
    picker_filter(document)["processing_mode"] |= {"request_body_mode": "BUFFERED"} | unseen


def picker_filter(document: Document) -> Document:
    """Return the configuration of the filter that asks the picker."""
    listener = document["static_resources"]["listeners"][0]
    config: Document = gateway.connection_manager(listener)["http_filters"][0]["typed_config"]
    return config


def _cluster(document: Document, name: str) -> Document:
    return next(cluster for cluster in document["static_resources"]["clusters"] if cluster["name"] == name)


def _in_turn() -> Document:
    policy = {"name": "envoy.load_balancing_policies.round_robin", "typed_config": {"@type": _ROUND_ROBIN}}
    return {"policies": [_policy(policy)]}


def _policy(typed: Document) -> Document:
    return {"typed_extension_config": typed}
