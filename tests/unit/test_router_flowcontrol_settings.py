import json
from pathlib import Path
from typing import Any

import pytest

from chimera_router import settings
from chimera_router.errors import ConfigError
from chimera_router.flowcontrol.types import HoldLimits

COEFFICIENTS = {"baseStepMs": 7.2, "maxNumSeqs": 256, "kvTokens": "1000000"}


def parse(**flow_control: Any) -> HoldLimits | None:
    config = {
        "pool": "p",
        "models": [{"name": "small", "coefficients": COEFFICIENTS}],
        "discovery": {"file": {"path": "e.json"}},
        "routing": {"flowControl": flow_control} if flow_control else {},
    }
    return settings.parse(json.dumps(config), base=Path("/etc/chimera")).flow_control


def test_off_unless_enabled() -> None:
    """Nobody waits in the picker where the configuration does not say so."""
    assert (parse(), parse(enabled=False, maxRequests=3)) == (None, None)


def test_caps_have_defaults() -> None:
    """What is zero or unset is the router's to say; a tenant may fill the queue unless it has a cap of its own."""
    capped = HoldLimits(max_requests=7, max_bytes=70, per_tenant_max_requests=7, per_tenant_max_bytes=70)

    assert parse(enabled=True) == HoldLimits()
    assert parse(enabled=True, maxRequests=7, maxBytes="70") == capped


def test_every_field_arrives() -> None:
    """Caps, time to live and classes are those of the configuration."""
    given = parse(
        enabled=True,
        maxRequests=10,
        maxBytes="100",
        perTenantMaxRequests=4,
        perTenantMaxBytes="40",
        ttl=2.5,
        objectives={"urgent": 5, "batch": -1},
    )

    assert given == HoldLimits(
        max_requests=10,
        max_bytes=100,
        per_tenant_max_requests=4,
        per_tenant_max_bytes=40,
        ttl=2.5,
        objectives={"urgent": 5, "batch": -1},
    )


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("maxRequests", -1, "routing.flowControl: caps and ttl must not be negative"),
        ("ttl", -1, "routing.flowControl: caps and ttl must not be negative"),
        ("ttl", 301, "routing.flowControl.ttl: must be at most 300 s"),
        ("ttl", "NaN", "routing.flowControl.ttl: must be at most 300 s"),
        ("maxRequest", 1, "maxRequest"),
    ],
)
def test_broken_rule_is_named(field: str, value: object, rule: str) -> None:
    """Each refusal says where and what, enabled or not."""
    with pytest.raises(ConfigError, match=rule):
        parse(**{field: value})
