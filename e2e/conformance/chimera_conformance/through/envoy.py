"""A gateway in full duplex that follows the destination header, as GIE's charts and Envoy AI Gateway set Envoy up."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from chimera_conformance import sources, wire
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.cases.destination import FOREIGN
from chimera_conformance.cases.response import BINARY, EVENTS, NOT_JSON
from chimera_conformance.gateway import http1
from chimera_conformance.gateway.bootstrap import Listener
from chimera_conformance.gateway.client import OK, Gateway, Request, asked
from chimera_conformance.gateway.engine import COMPLETION, Reply
from chimera_conformance.verdicts import assume, require

AT_ONCE = 50  # requests; one gateway's worth of a busy second
LARGE = 3_000_000  # bytes; beyond what any party holds in one piece
CHECKSUM = {"x-checksum": "abc"}
BAD_REQUEST, UNAVAILABLE = 400, 503


@case(Level.MUST, Profile.CORE, sources.GIE_DESTINATION)
async def request_reaches_its_endpoint(gateway: Gateway) -> None:
    """A request is served by the member of the pool that the destination header names."""
    visit = await gateway.visit(Listener.STREAMED, gateway.chat())
    require(visit.status == OK, f"the client got {visit.status}")
    require(visit.arrival.endpoint in gateway.target.endpoints, f"{visit.arrival.endpoint} is not of the pool")


@case(Level.MUST, Profile.CORE, sources.FORGED_DESTINATION)
async def forged_destination_is_replaced(gateway: Gateway) -> None:
    """A destination header that the client brings neither leads anywhere nor reaches the engine."""
    request = replace(gateway.chat(), headers=((wire.DESTINATION, FOREIGN), (wire.DESTINATION, FOREIGN)))
    visit = await gateway.visit(Listener.STREAMED, request)
    require(visit.status == OK, f"the client got {visit.status}")
    values = visit.arrival.values(wire.DESTINATION)
    require(FOREIGN not in ",".join(values), f"the engine got {', '.join(values)}")


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def small_body_arrives_whole(gateway: Gateway) -> None:
    """What was asked reaches the engine."""
    await _require_whole(gateway, Listener.STREAMED, gateway.chat())


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def body_of_70_kb_arrives_whole(gateway: Gateway) -> None:
    """A body that goes on in more than one piece reaches the engine whole."""
    await _require_whole(gateway, Listener.STREAMED, gateway.chat("é" * 35_000))


@case(Level.MUST, Profile.CORE, sources.GIE_DUPLICATE_END)
async def body_of_3_mb_arrives_whole(gateway: Gateway) -> None:
    """A body of 3 MB reaches the engine whole."""
    await _require_whole(gateway, Listener.STREAMED, gateway.chat("x" * LARGE))


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def slow_body_arrives_whole(gateway: Gateway) -> None:
    """A body that comes in many small pieces, with pauses, reaches the engine whole."""
    await _require_whole(gateway, Listener.STREAMED, _in_pieces(gateway.chat(), count=10, pause=0.02))


@case(Level.MUST, Profile.CORE, sources.ENVOY_ORDER)
async def trailers_of_the_request_arrive(gateway: Gateway) -> None:
    """A request that ends with trailers is served, and its trailers reach the engine."""
    visit = await gateway.visit(Listener.STREAMED, replace(gateway.chat(), trailers=CHECKSUM))
    require(visit.status == OK, f"the client got {visit.status}")
    require(visit.arrival.trailers == CHECKSUM, "the trailers were lost")


@case(Level.MUST, Profile.CORE, sources.ENVOY_DUPLEX)
async def http2_client_is_served(gateway: Gateway) -> None:
    """A request and an event stream pass for a client of HTTP/2 as well."""
    await _require_whole(gateway, Listener.HTTP2, gateway.chat("x" * 70_000))
    visit = await gateway.visit(Listener.HTTP2, gateway.chat(stream=True), _events())
    require(visit.body == b"".join(EVENTS), f"{len(visit.body)} bytes, or others than were sent")


@case(Level.MUST, Profile.CORE, sources.HTTP_SEMANTICS)
async def answer_passes_unchanged(gateway: Gateway) -> None:
    """A JSON answer reaches the client byte for byte."""
    await _require_unchanged(gateway, Reply(), COMPLETION)


@case(Level.MUST, Profile.CORE, sources.LLM_D_TESTS)
async def broken_json_passes_unchanged(gateway: Gateway) -> None:
    """An answer that says it is JSON and is not reaches the client byte for byte."""
    await _require_unchanged(gateway, Reply(pieces=(NOT_JSON,)), NOT_JSON)


@case(Level.MUST, Profile.CORE, sources.HTTP_SEMANTICS)
async def large_answer_passes_unchanged(gateway: Gateway) -> None:
    """An answer of 3 MB, of any bytes, reaches the client byte for byte."""
    body = BINARY * (LARGE // len(BINARY))
    await _require_unchanged(gateway, Reply(content_type="application/octet-stream", pieces=(body,)), body)


@case(Level.MUST, Profile.CORE, sources.GIE_STREAMING)
async def events_pass_at_once(gateway: Gateway) -> None:
    """Each piece of an event stream reaches the client before the engine sends the next."""
    seen = asyncio.Semaphore(1)

    async def paced() -> AsyncIterator[bytes]:
        for event in EVENTS:
            await seen.acquire()
            yield event

    reply = Reply(content_type=wire.EVENT_STREAM, pieces=paced())
    async with gateway.opened(Listener.STREAMED, gateway.chat(stream=True), reply) as (answer, _):
        require(answer.status == OK, f"the client got {answer.status}")
        await gateway.within(_acknowledged(answer, seen))


@case(Level.MUST, Profile.CORE, sources.HTTP_SEMANTICS)
async def events_pass_unchanged(gateway: Gateway) -> None:
    """An event stream reaches the client byte for byte."""
    await _require_unchanged(gateway, _events(), b"".join(EVENTS))


@case(Level.MUST, Profile.CORE, sources.ENVOY_ORDER)
async def trailers_of_the_answer_pass(gateway: Gateway) -> None:
    """Trailers of an answer reach the client, after all of its body."""
    visit = await gateway.visit(Listener.STREAMED, gateway.chat(stream=True), replace(_events(), trailers=CHECKSUM))
    require(visit.body == b"".join(EVENTS), f"{len(visit.body)} bytes, or others than were sent")
    require(visit.trailers == CHECKSUM, "the trailers were lost")


@case(Level.MUST, Profile.CORE, sources.LLM_D_TESTS)
async def get_is_answered(gateway: Gateway) -> None:
    """A request without a body is answered, by an engine or by the picker."""
    visit = await gateway.visit(Listener.STREAMED, Request(pieces=None, method="GET", path=wire.MODELS))
    require(visit.status < 500, f"the client got {visit.status}")


@case(Level.MUST, Profile.CORE, sources.GIE_SUBSET)
async def subset_binds(gateway: Gateway) -> None:
    """With a hint that allows one endpoint every request reaches that one."""
    only = gateway.target.endpoints[-1]
    for _ in range(len(gateway.target.endpoints)):
        visit = await gateway.visit(Listener.SUBSET, gateway.chat())
        require(visit.arrival.endpoint == only, f"{visit.arrival.endpoint} in place of {only}")


@case(Level.MUST, Profile.CORE, sources.GIE_SUBSET)
async def subset_of_nobody_is_503(gateway: Gateway) -> None:
    """With a hint that allows no member of the pool the client gets 503."""
    visit = await gateway.visit(Listener.NO_SUBSET, gateway.chat())
    require(visit.status == UNAVAILABLE, f"the client got {visit.status}")


@case(Level.MUST, Profile.OPENAI, sources.LLM_D_TESTS)
async def invalid_json_is_400(gateway: Gateway) -> None:
    """A body that is not JSON is answered with 400, and reaches no engine."""
    visit = await gateway.visit(Listener.STREAMED, Request(pieces=(NOT_JSON,)))
    require(visit.status == BAD_REQUEST, f"the client got {visit.status}")
    require(not visit.arrivals, "it reached an engine")


@case(Level.MUST, Profile.CORE, sources.GIE_STREAMING)
async def requests_are_independent(gateway: Gateway) -> None:
    """Requests at once are each served with what they asked."""
    requests = [gateway.chat(f"Say {number}.") for number in range(AT_ONCE)]
    visits = await asyncio.gather(*(gateway.visit(Listener.STREAMED, request) for request in requests))
    served = sum(visit.status == OK for visit in visits)
    require(served == AT_ONCE, f"{served} of {AT_ONCE} were served")
    mixed = sum(asked(a.arrival.body) != asked(b"".join(r.pieces or ())) for a, r in zip(visits, requests, strict=True))
    require(not mixed, f"{mixed} of {AT_ONCE} reached the engine with another body")


@case(Level.MUST, Profile.CORE, sources.ENVOY_HALF_CLOSE)
async def client_may_leave(gateway: Gateway) -> None:
    """A client that hangs up in the middle of a stream takes nothing from those after it."""
    gone = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield EVENTS[0]
        await gone.wait()

    reply = Reply(content_type=wire.EVENT_STREAM, pieces=endless())
    async with gateway.opened(Listener.STREAMED, gateway.chat(stream=True), reply) as (answer, _):
        require(answer.status == OK, f"the client got {answer.status}")
        await gateway.within(anext(answer.body(), b""))
    gone.set()
    await gateway.require_service()


def _events() -> Reply:
    return Reply(content_type=wire.EVENT_STREAM, pieces=_as_they_come(EVENTS))


async def _as_they_come(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _acknowledged(answer: http1.Message, seen: asyncio.Semaphore) -> None:
    """Read an event stream and let the engine go on with each event that is complete."""
    got, told = b"", 0
    async for data in answer.body():
        got += data
        while told < len(EVENTS) and len(got) >= len(b"".join(EVENTS[: told + 1])):
            told += 1
            seen.release()
    require(got == b"".join(EVENTS), f"{len(got)} bytes, or others than were sent")


def _in_pieces(request: Request, *, count: int, pause: float) -> Request:
    body = b"".join(request.pieces or ())
    size = len(body) // count + 1
    return replace(request, pieces=[body[i : i + size] for i in range(0, len(body), size)], pause=pause)


async def _require_whole(gateway: Gateway, listener: Listener, request: Request) -> None:
    visit = await gateway.visit(listener, request)
    require(visit.status == OK, f"the client got {visit.status}")
    body = visit.arrival.body
    require(asked(body) == asked(b"".join(request.pieces or ())), f"{len(body):,} bytes that do not hold what was sent")


async def _require_unchanged(gateway: Gateway, reply: Reply, expected: bytes) -> None:
    visit = await gateway.visit(Listener.STREAMED, gateway.chat(), reply)
    assume(visit.arrivals, f"the request reached no engine; the client got {visit.status}")
    require(visit.status == OK, f"the client got {visit.status}")
    require(visit.body == expected, f"{len(visit.body):,} bytes, or others than the {len(expected):,} that were sent")
