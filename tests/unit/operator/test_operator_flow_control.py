"""What a pool tells its picker of flow control."""

from typing import Any

from google.protobuf import json_format
from pool_documents import pool_document

from chimera_operator.api.flow_control import FlowControl
from chimera_operator.api.parse import parse_pool
from chimera_operator.rendering.router_config import router_config
from chimera_proto.config.v1alpha1.router_config_pb2 import RouterConfig
from chimera_router.flowcontrol import types as flow

GIVEN = {"enabled": True, "maxRequests": 9, "maxBytes": 99, "ttl": 30, "objectives": {"urgent": 5, "batch": -1}}


def parsed(*, speed: float = 1.0, **flow_control: Any) -> RouterConfig:
    pool = parse_pool(pool_document(routing={"flowControl": flow_control}))
    rendered = router_config(pool, discovery={"file": {"path": "/run/endpoints.json"}}, speed=speed)
    config: RouterConfig = json_format.ParseDict(rendered, RouterConfig())
    return config


def test_every_field_arrives() -> None:
    """Caps and classes are the document's, what is unset stays the router's, and the wait shrinks with the speed."""
    config = parsed(speed=10.0, **GIVEN).routing.flow_control

    assert (config.enabled, config.max_requests, config.max_bytes, config.ttl) == (True, 9, 99, 3.0)
    assert (config.per_tenant_max_requests, dict(config.objectives)) == (0, {"urgent": 5, "batch": -1})


def test_off_where_nobody_asks_for_it() -> None:
    """Requests wait in the engines then, whatever else is said."""
    assert not parsed(**{**GIVEN, "enabled": False}).routing.HasField("flow_control")
    assert not parsed().routing.HasField("flow_control")


def test_time_to_live_is_the_routers_own_default() -> None:
    """The pool states it, because a speed divides it; it must stay what the router would take, and within its bound."""
    assert FlowControl().ttl == flow.DEFAULT_TTL
    assert FlowControl(ttl=flow.MAX_TTL).ttl == flow.MAX_TTL
