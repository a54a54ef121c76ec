"""Engines that fail behind the gateway: the client hears of it at once, and the picker goes on."""

import asyncio
import json
from collections.abc import AsyncIterator

from chimera_conformance import sources, wire
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.cases.response import EVENTS
from chimera_conformance.gateway import http1
from chimera_conformance.gateway.bootstrap import Listener
from chimera_conformance.gateway.client import OK, Gateway
from chimera_conformance.gateway.engine import Reply
from chimera_conformance.verdicts import assume, require, skip

ENDED = 5.0  # seconds in which a client has to hear that its stream was cut
RECOVERED = 4  # times the patience in which an engine that is back has to be chosen again
_PAUSE = 0.1  # seconds between looks


@case(Level.MUST, Profile.CORE, sources.ENVOY_LOCAL_REPLY, alone=True)
async def dead_engine_is_a_gateway_error(gateway: Gateway) -> None:
    """A request to the only endpoint allowed, whose engine is dead, gets 502, 503 or 504, with a body that ends."""
    if Profile.FALLBACK in gateway.target.profiles:
        skip("a gateway that takes a list of endpoints goes on to others")
    only = gateway.target.endpoints[-1]
    await gateway.engines.stop(only)
    try:
        visits = [await gateway.visit(Listener.SUBSET, gateway.chat()) for _ in range(2)]
    finally:
        await gateway.engines.start(only)
    for visit in visits:
        require(visit.status in {502, 503, 504}, f"the client got {visit.status}")


@case(Level.SHOULD, Profile.CORE, sources.ENVOY_LOCAL_REPLY, alone=True)
async def engine_that_is_back_is_chosen(gateway: Gateway) -> None:
    """An engine that was dead for a moment is chosen again, within four times the patience."""
    only = gateway.target.endpoints[-1]
    await gateway.engines.stop(only)
    await gateway.visit(Listener.SUBSET, gateway.chat())
    await gateway.engines.start(only)
    deadline = asyncio.get_running_loop().time() + RECOVERED * gateway.target.patience
    while not await gateway.serves(Listener.SUBSET):
        require(asyncio.get_running_loop().time() < deadline, "it is not")
        await asyncio.sleep(_PAUSE)


@case(Level.MUST, Profile.CORE, sources.ENVOY_LOCAL_REPLY, alone=True)
async def engine_that_dies_in_the_middle(gateway: Gateway) -> None:
    """A stream whose engine dies ends at the client at once, and the picker serves on."""
    begun = asyncio.Event()

    async def cut() -> AsyncIterator[bytes]:
        yield EVENTS[0]
        await begun.wait()

    reply = Reply(content_type=wire.EVENT_STREAM, pieces=cut(), cut=True)
    async with gateway.opened(Listener.STREAMED, gateway.chat(stream=True), reply) as (answer, _):
        assume(answer.status == OK, f"the client got {answer.status}")
        body = answer.body()
        await gateway.within(anext(body, b""))
        begun.set()
        require(not await _ends_well(body), "the client believes to have the whole answer")
    await gateway.require_service()


@case(Level.MUST, Profile.CORE, sources.HTTP_SEMANTICS, alone=True)
async def engines_error_passes(gateway: Gateway) -> None:
    """An engine's own 500, in JSON, reaches the client as a 5xx with a body of JSON."""
    error = json.dumps({"error": {"message": "engine failed", "type": "server_error"}}).encode()
    visit = await gateway.visit(Listener.STREAMED, gateway.chat(), Reply(status=500, pieces=(error,)))
    require(visit.status >= 500, f"the client got {visit.status}")
    try:
        json.loads(visit.body)
    except ValueError:
        require(holds=False, what_came=f"{len(visit.body)} bytes that are no JSON")


@case(Level.MUST, Profile.CORE, sources.HTTP_SEMANTICS)
async def engines_refusal_passes(gateway: Gateway) -> None:
    """An engine's 400 reaches the client as it is."""
    error = json.dumps({"error": {"message": "too long", "type": "invalid_request_error"}}).encode()
    visit = await gateway.visit(Listener.STREAMED, gateway.chat(), Reply(status=400, pieces=(error,)))
    require((visit.status, visit.body) == (400, error), f"the client got {visit.status}, {len(visit.body)} bytes")


async def _ends_well(body: AsyncIterator[bytes]) -> bool:
    """Return whether the rest of an answer ends as that of a complete one does."""
    try:
        async with asyncio.timeout(ENDED):
            async for _ in body:
                pass
    except http1.Broken:
        return False
    except TimeoutError:
        require(holds=False, what_came=f"nothing for {ENDED:.0f} s")
    return True
