"""A gateway that buffers bodies, as Envoy AI Gateway does where its annotation asks for it."""

from dataclasses import replace

from chimera_conformance import sources, wire
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.cases.destination import FOREIGN
from chimera_conformance.cases.response import EVENTS, NOT_JSON
from chimera_conformance.gateway.bootstrap import Listener
from chimera_conformance.gateway.client import OK, Gateway, Request, asked
from chimera_conformance.gateway.engine import COMPLETION, Reply
from chimera_conformance.verdicts import require

BAD_REQUEST = 400


@case(Level.MUST, Profile.BUFFERED, sources.ENVOY_BUFFERED)
async def request_is_served(gateway: Gateway) -> None:
    """A request is served by a member of the pool, with what was asked, whatever its size."""
    for size in (10, 70_000, 3_000_000):
        request = gateway.chat("x" * size)
        visit = await gateway.visit(Listener.BUFFERED, request)
        require(visit.status == OK, f"the client got {visit.status} for {size:,} characters")
        require(visit.arrival.endpoint in gateway.target.endpoints, f"{visit.arrival.endpoint} is not of the pool")
        require(asked(visit.arrival.body) == asked(b"".join(request.pieces or ())), "what was asked has changed")


@case(Level.MUST, Profile.BUFFERED, sources.ENVOY_LENGTH)
async def length_is_that_of_the_body(gateway: Gateway) -> None:
    """The engine gets a content-length that is right, or none."""
    visit = await gateway.visit(Listener.BUFFERED, gateway.chat())
    stated, length = visit.arrival.values(wire.CONTENT_LENGTH), len(visit.arrival.body)
    require(stated in ([], [str(length)]), f"content-length {', '.join(stated)} for {length} bytes")


@case(Level.MUST, Profile.BUFFERED, sources.FORGED_DESTINATION)
async def forged_destination_is_replaced(gateway: Gateway) -> None:
    """A destination header that the client brings neither leads anywhere nor reaches the engine."""
    request = replace(gateway.chat(), headers=((wire.DESTINATION, FOREIGN),))
    visit = await gateway.visit(Listener.BUFFERED, request)
    require(visit.status == OK, f"the client got {visit.status}")
    require(FOREIGN not in visit.arrival.values(wire.DESTINATION), "the engine got the client's own destination")


@case(Level.MUST, Profile.BUFFERED, sources.HTTP_SEMANTICS)
async def answers_pass_unchanged(gateway: Gateway) -> None:
    """Answers, JSON and event streams, reach the client byte for byte."""
    stream = b"".join(EVENTS)
    replies = ((Reply(), COMPLETION), (Reply(content_type=wire.EVENT_STREAM, pieces=(stream,)), stream))
    for reply, expected in replies:
        visit = await gateway.visit(Listener.BUFFERED, gateway.chat(), reply)
        require(visit.status == OK, f"the client got {visit.status}")
        require(visit.body == expected, f"{len(visit.body)} bytes, or others than were sent")


@case(Level.MUST, Profile.BUFFERED, sources.ENVOY_BUFFERED)
async def get_is_answered(gateway: Gateway) -> None:
    """A request without a body is answered, by an engine or by the picker."""
    visit = await gateway.visit(Listener.BUFFERED, Request(pieces=None, method="GET", path=wire.MODELS))
    require(visit.status < 500, f"the client got {visit.status}")


@case(Level.MUST, Profile.BUFFERED, sources.LLM_D_TESTS)
async def invalid_json_is_400(gateway: Gateway) -> None:
    """A body that is not JSON is answered with 400, and reaches no engine."""
    visit = await gateway.visit(Listener.BUFFERED, Request(pieces=(NOT_JSON,)))
    require(visit.status == BAD_REQUEST, f"the client got {visit.status}")
    require(not visit.arrivals, "it reached an engine")
