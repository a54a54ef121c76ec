"""Gateways that break the rules: the stream may end, others go on, and nothing of what was sent comes back."""

import re
from typing import Any

from chimera_conformance import sources
from chimera_conformance.answers import Answers, never
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.messages import response_body, response_headers
from chimera_conformance.picker import ROUTE_ENDED, Picker
from chimera_conformance.verdicts import require

CANARY = "canary-5ca1ab1e"
_UNKNOWN_FIELD = b"\xfa\x3e\x04gone"  # field 1007, length-delimited: no part that any version defines
_UNDECODABLE = b"\xff\xff" + CANARY.encode()
_INTERNALS = re.compile(r"Traceback|Exception|Error\(|<class|panic|goroutine|\.py\b|\.go:\d|\.rs:\d|0x[0-9a-f]{6}")
_TIME = 1.0  # seconds in which a stream that will end has ended; a picker may also ignore what came


@case(Level.MUST, Profile.ROBUSTNESS, sources.ENVOY_ORDER)
async def body_before_headers(picker: Picker) -> None:
    """A body without headers before it hurts that stream at most, and says nothing of itself."""
    await _require_contained(picker, picker.chat().piece(CANARY.encode(), end_of_stream=True))


@case(Level.MUST, Profile.ROBUSTNESS, sources.ENVOY_ORDER)
async def headers_twice(picker: Picker) -> None:
    """A second head of the request hurts that stream at most, and says nothing of itself."""
    opening = picker.chat(headers=(("x-note", CANARY),)).opening()
    await _require_contained(picker, opening, opening)


@case(Level.MUST, Profile.ROBUSTNESS, sources.ENVOY_ORDER)
async def unknown_part(picker: Picker) -> None:
    """A message of a kind that the picker does not know hurts that stream at most."""
    await _require_contained(picker, _UNKNOWN_FIELD)


@case(Level.MUST, Profile.ROBUSTNESS, sources.ENVOY_ORDER)
async def no_part(picker: Picker) -> None:
    """A message without any part hurts that stream at most."""
    await _require_contained(picker, b"")


@case(Level.MUST, Profile.ROBUSTNESS, sources.ENVOY_ORDER)
async def trailers_alone(picker: Picker) -> None:
    """Trailers without headers before them hurt that stream at most, and say nothing of themselves."""
    await _require_contained(picker, picker.chat().trailers(note=CANARY))


@case(Level.MUST, Profile.ROBUSTNESS, sources.ENVOY_ORDER)
async def response_before_request(picker: Picker) -> None:
    """An answer to a request that never came hurts that stream at most, and says nothing of itself."""
    await _require_contained(picker, response_headers(content_type=CANARY), response_body(CANARY.encode()))


@case(Level.MUST, Profile.ROBUSTNESS, sources.ENVOY_ORDER)
async def body_after_its_end(picker: Picker) -> None:
    """More of a body that has ended hurts that stream at most, and says nothing of itself."""
    await _require_contained(picker, *picker.chat().whole(), picker.chat().piece(CANARY.encode()))


@case(Level.MUST, Profile.ROBUSTNESS, sources.GRPC_LEAK)
async def undecodable_bytes(picker: Picker) -> None:
    """Bytes that are no message hurt that stream at most, and never come back in the status."""
    await _require_contained(picker, _UNDECODABLE)


@case(Level.MUST, Profile.ROBUSTNESS, sources.GRPC_LEAK)
async def refused_body(picker: Picker) -> None:
    """A refusal of a body does not quote it: it could hold a prompt or a key."""
    answers = await picker.ask(picker.chat(body=f"{CANARY} is no JSON".encode()).whole(), ROUTE_ENDED)
    require_discretion(answers)


@case(Level.MUST, Profile.ROBUSTNESS, sources.ENVOY_PROTOCOL_CONFIG)
async def what_is_of_no_concern(picker: Picker) -> None:
    """Attributes and metadata that the protocol does not speak of change nothing."""
    call = picker.chat()
    opening = call.opening()
    opening.attributes["envoy.filters.http.ext_proc"].update({"request.path": "/", "source.address": "192.0.2.7:1"})
    opening.metadata_context.filter_metadata["com.example"].update({"note": [1, {"deep": None}]})
    answers = await picker.ask([opening, *call.pieces(), call.end()], ROUTE_ENDED)
    require(answers.routed, f"came: {answers.outline()}")


async def _require_contained(picker: Picker, *messages: Any) -> None:
    answers = await picker.ask(list(messages), never, within=min(_TIME, picker.target.patience))
    require_discretion(answers)
    await picker.require_service()


def require_discretion(answers: Answers) -> None:
    """Raise Violation where an error quotes what was sent, or shows the code that failed."""
    told = "" if answers.immediate is None else str(answers.immediate)
    told += answers.ending.details if answers.ending else ""
    require(CANARY not in told, "what was sent came back")
    found = _INTERNALS.search(told)
    require(not found, f"the error shows the picker's insides: {found and found[0]}")
