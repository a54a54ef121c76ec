"""Any text is a configuration that can be run by, or breaks a rule that is told without the values."""

import json
from pathlib import Path
from typing import Any

from drawing import Draw
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from chimera_proto.config.v1alpha1.router_config_pb2 import RouterConfig
from chimera_router.errors import ConfigError
from chimera_router.settings import PoolSettings, parse

_BASE = Path("/config")
_CANARY = "canary-of-the-input"
_COEFFICIENTS = {"baseStepMs": 7, "stepPerSequenceUs": 28, "maxNumSeqs": 256, "kvTokens": "1000"}
_WHATEVER = (_CANARY, None, [], {}, [_CANARY], {_CANARY: 1}, True, -1, "1s")
_VALUES: dict[int, tuple[Any, ...]] = {
    FieldDescriptor.CPPTYPE_STRING: ("m", "vllm", "a/b", "", _CANARY),
    FieldDescriptor.CPPTYPE_BOOL: (True, False),
    FieldDescriptor.CPPTYPE_ENUM: (0, 1, 2, 3, 99, -1, _CANARY),
    FieldDescriptor.CPPTYPE_INT32: (0, 1, -1, 1 << 30, 1 << 40, "7", 1.5),
    FieldDescriptor.CPPTYPE_INT64: (0, 1, -1, 1 << 62, 1 << 70, "7", _CANARY),
    FieldDescriptor.CPPTYPE_DOUBLE: (0, 0.5, 1, -1, 1e308, "NaN", "Infinity", "-Infinity", _CANARY),
}


def run(data: bytes) -> None:
    draw = Draw(data)
    text = _built(draw) if draw.byte() % 2 else draw.rest().decode(errors="surrogateescape").replace("x", _CANARY)
    said = ""
    try:
        assert isinstance(parse(text, base=_BASE), PoolSettings)
    except ConfigError as error:
        said = str(error).partition("no field named")[0]  # names of fields are places, even of those that are not there
    assert _CANARY not in said


def _built(draw: Draw) -> str:
    """Return a configuration that is right but for what is drawn."""
    config = {
        "pool": "p",
        "models": [{"name": "m", "coefficients": _COEFFICIENTS}],
        "discovery": {"file": {"path": "endpoints.json"}},
    }
    return json.dumps(config | _message(RouterConfig.DESCRIPTOR, draw))


def _message(descriptor: Descriptor, draw: Draw) -> dict[str, Any]:
    """Return a message of some of its fields."""
    chosen = [draw.choice(descriptor.fields) for _ in range(draw.byte() % 4)] if descriptor.fields else []
    return {field.json_name: _value(field, draw) for field in chosen}


def _value(field: FieldDescriptor, draw: Draw) -> Any:
    if draw.byte() % 8 == 0:
        return draw.choice(_WHATEVER)
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        return {draw.choice(("m", "", _CANARY)): _value(message.fields_by_name["value"], draw)}
    value = draw.choice(_VALUES[field.cpp_type]) if message is None else _message(message, draw)
    return [value] * (draw.byte() % 3) if field.is_repeated else value
