"""The configuration of the gateway that the kit looks through."""

import json
from typing import Any

import pytest

from chimera_conformance import wire
from chimera_conformance.case import DEFAULT, Profile
from chimera_conformance.gateway.bootstrap import Listener, bootstrap
from chimera_conformance.target import Target, parse_endpoints

PORTS = {kind: 10_000 + number for number, kind in enumerate(Listener)}
TARGET = Target(
    address="127.0.0.1:9002", endpoints=parse_endpoints(["127.0.0.1:1", "[::1]:2"]), model="m", plaintext=True
)


def listeners(target: Target = TARGET) -> dict[str, dict[str, Any]]:
    resources = bootstrap(target, PORTS)["static_resources"]
    return {each["name"]: each["filter_chains"][0]["filters"][0]["typed_config"] for each in resources["listeners"]}


def clusters(target: Target = TARGET) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in bootstrap(target, PORTS)["static_resources"]["clusters"]}


def cluster_of(listener: dict[str, Any]) -> str:
    cluster: str = listener["route_config"]["virtual_hosts"][0]["routes"][0]["route"]["cluster"]
    return cluster


def modes(listener: dict[str, Any]) -> set[str]:
    found = [each["typed_config"] for each in listener["http_filters"] if "ext_proc" in each["name"]]
    return {found[0]["processing_mode"][f"{side}_body_mode"] for side in ("request", "response")}


@pytest.mark.parametrize(
    ("kind", "mode", "cluster"),
    [
        (Listener.STREAMED, "FULL_DUPLEX_STREAMED", "destinations"),
        (Listener.BUFFERED, "BUFFERED", "destinations"),
        (Listener.OVERRIDE, "FULL_DUPLEX_STREAMED", "pool"),
    ],
)
def test_each_kind_of_gateway_has_a_listener(kind: Listener, mode: str, cluster: str) -> None:
    """Bodies are streamed or buffered, and the header or the metadata is followed."""
    listener = listeners()[kind.value]

    assert (modes(listener), cluster_of(listener)) == ({mode}, cluster)


def test_clients_destination_is_left_to_the_picker() -> None:
    """The gateway takes nothing away from the client's headers: whether the picker replaces them is looked at."""
    assert "header_mutation" not in json.dumps(bootstrap(TARGET, PORTS))


def test_list_of_endpoints_goes_where_it_is_understood() -> None:
    """A picker that names several meets gateways that take a list, since ORIGINAL_DST takes none."""
    several = Target(
        address=TARGET.address, endpoints=TARGET.endpoints, model="m", profiles=DEFAULT | {Profile.FALLBACK}
    )

    kinds = listeners(several)
    assert {cluster_of(kinds[kind.value]) for kind in Listener if kind is not Listener.HTTP2} == {"pool"}


def test_hints_name_the_last_endpoint_and_nobody() -> None:
    """One listener allows a single member of the pool, another none."""
    hints = {
        name: each["typed_config"]["metadata"][0]["value"][wire.SUBSET]
        for name, listener in listeners().items()
        for each in listener["http_filters"]
        if "set_metadata" in each["name"]
    }

    assert hints == {"subset": ["[::1]:2"], "no-subset": ["192.0.2.1:9"]}


def test_http2_comes_to_the_streamed_listener() -> None:
    """The HTTP/2 client is a listener whose upstream is another one."""
    loop = clusters()["loop"]

    endpoint = loop["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert endpoint["address"]["socket_address"]["port_value"] == PORTS[Listener.STREAMED]
    assert "http2_protocol_options" in json.dumps(loop)


def test_tls_to_the_picker_takes_any_certificate() -> None:
    """With TLS the gateway checks no certificate; in plain text there is none."""
    secure = Target(address="picker.test:9002", endpoints=TARGET.endpoints, model="m")

    assert "UpstreamTlsContext" in json.dumps(clusters(secure)["picker"])
    assert "validation" not in json.dumps(clusters(secure)["picker"])
    assert "transport_socket" not in clusters()["picker"]
