"""The picker under test, as the cases ask it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc

from chimera_conformance import answers as came
from chimera_conformance.answers import Answers, Until
from chimera_conformance.exchange import Exchange
from chimera_conformance.messages import Call, chat
from chimera_conformance.target import Endpoint, Target
from chimera_conformance.tunnel import reachable
from chimera_conformance.verdicts import assume, require, skip

# Messages are the gateway's to cut; what a picker sends too large is for a case to say.
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]

SETTLED = 3  # times the patience in which endpoints that failed come back: pickers look at them every few seconds
_PAUSE = 0.05  # seconds between looks

ROUTED = came.answered(came.REQUEST_HEADERS)
ROUTE_ENDED = came.all_of([ROUTED, came.ended(came.REQUEST_BODY)])


class Picker:
    """A channel to the picker, and what the kit was told about it.

    Attributes:
        target: What the kit was told.
    """

    def __init__(
        self, target: Target, *, channel: grpc.aio.Channel, health: grpc.aio.Channel, empty: grpc.aio.Channel | None
    ) -> None:
        self.target = target
        self.health = health
        self._channel = channel
        self._empty = empty

    def chat(self, **changes: Any) -> Call:
        """Return a well-formed request, changed where a case needs it."""
        return replace(chat(self.target.model), **changes)

    def chat_of(self, size: int) -> Call:
        """Return a well-formed request of so many characters."""
        return chat(self.target.model, "x" * size)

    def without_endpoints(self) -> "Picker":
        """Return the second picker, which knows no endpoints; skip the case where there is none."""
        if self._empty is None:
            skip("no picker without endpoints was named")
        return Picker(self.target, channel=self._empty, health=self.health, empty=None)

    @asynccontextmanager
    async def exchange(self) -> AsyncIterator[Exchange]:
        """Open a stream, and cancel it in the end."""
        exchange = Exchange(self._channel, patience=self.target.patience)
        try:
            yield exchange
        finally:
            await exchange.close()

    async def ask(self, messages: list[Any], until: Until, *, within: float | None = None) -> Answers:
        """Send messages on a stream of their own and return what came."""
        async with self.exchange() as exchange:
            await exchange.send(*messages)
            return await exchange.collect(until, within=within)

    async def route(self, call: Call, until: Until = ROUTED) -> Answers:
        """Return the answers to a call that the picker has to route for the case to have a subject."""
        answers = await self.ask(call.whole(), until)
        assume(answers.routed, f"the request was not routed; came: {answers.outline()}")
        return answers

    @asynccontextmanager
    async def routed(self, call: Call | None = None) -> AsyncIterator[Exchange]:
        """Open a stream whose request is routed already, for what comes after."""
        async with self.exchange() as exchange:
            await exchange.send(*(call or self.chat()).whole())
            answers = await exchange.collect(ROUTE_ENDED)
            assume(answers.routed, f"the request was not routed; came: {answers.outline()}")
            await exchange.pause()
            yield exchange

    async def require_service(self) -> None:
        """Raise Violation unless a well-formed request is still routed."""
        answers = await self.ask(self.chat().whole(), ROUTED)
        require(answers.routed, f"afterwards a well-formed request is not routed any more; came: {answers.outline()}")

    async def settled(self) -> bool:
        """Wait until every endpoint is chosen where it is the only one allowed; return whether it came to that."""
        deadline = asyncio.get_running_loop().time() + SETTLED * self.target.patience
        for endpoint in self.target.endpoints:
            while not await self._chooses(endpoint):
                if asyncio.get_running_loop().time() > deadline:
                    return False
                await asyncio.sleep(_PAUSE)
        return True

    async def _chooses(self, endpoint: Endpoint) -> bool:
        return (await self.ask(self.chat(subset=[str(endpoint)]).whole(), ROUTED)).routed


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[Picker]:
    """Connect to the picker, with TLS of any certificate or without."""
    async with AsyncExitStack() as stack:

        async def channel(address: str) -> grpc.aio.Channel:
            place = await stack.enter_async_context(reachable(address, plaintext=target.plaintext))
            return await stack.enter_async_context(grpc.aio.insecure_channel(place, options=_OPTIONS))

        empty = None if target.empty is None else await channel(target.empty)
        main = await channel(target.address)
        health = await channel(target.health) if target.health else main
        yield Picker(target, channel=main, health=health, empty=empty)
