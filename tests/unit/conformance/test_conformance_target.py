"""What the kit is told."""

import pytest

from chimera_conformance.target import Endpoint, Target, parse_endpoints, split
from chimera_conformance.verdicts import NotApplicable


def test_lists_are_put_together() -> None:
    """Endpoints may be given as one list, as several, and with spaces."""
    assert parse_endpoints(["10.0.0.1:80, 10.0.0.2:81", "[::1]:82"]) == (
        Endpoint("10.0.0.1", 80),
        Endpoint("10.0.0.2", 81),
        Endpoint("::1", 82),
    )


@pytest.mark.parametrize(
    "text",
    ["", "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:70000", "10.0.0.1:+8", "::1:80", "[10.0.0.1]:80", "host:80"],
)
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    """An endpoint is an address and a port; names, bare IPv6 and ports out of range are none."""
    with pytest.raises(ValueError, match="ip:port"):
        Endpoint.parse(text)


def test_pool_that_is_too_small_skips_a_case() -> None:
    """A case that needs two endpoints does not apply to a pool of one."""
    target = Target(address="a:1", endpoints=(Endpoint("10.0.0.1", 80),), model="m")

    assert len(target.first(1)) == 1
    with pytest.raises(NotApplicable, match="2 endpoints"):
        target.first(2)


def test_address_is_split_without_brackets() -> None:
    """Sockets take an IPv6 address without its brackets."""
    assert (split("[::1]:9002"), split("picker.svc:9002")) == (("::1", 9002), ("picker.svc", 9002))
