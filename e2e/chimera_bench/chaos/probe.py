"""Single requests of any shape, each on a connection of its own."""

import asyncio
from dataclasses import dataclass

from chimera_bench.load import http1
from chimera_bench.load.client import BROKEN, clock, connect
from chimera_bench.load.prompts import CHAT
from chimera_router import wire

BODY = b'{"model": "auto", "messages": [{"role": "user", "content": "What is 17 times 23?"}]}'
VALID = http1.request("POST", CHAT, BODY)
_ARRIVED = 0.05  # seconds for a megabyte to be everywhere
_PATIENCE = 30.0  # seconds for an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back.

    Attributes:
        status: `BROKEN` where nothing did in time.
        reason: Why the picker refused it, in one word; empty where it did not.
        seconds: From the first byte sent to the last one received.
    """

    status: int
    reason: str
    seconds: float


async def probe(port: int, request: bytes = VALID, *, ahead: bytes = b"") -> Answer:
    """Send a request; return what came back.

    Args:
        port: Where to.
        request: What is sent.
        ahead: Sent before it, early enough to have arrived when the time begins.

    Raises:
        OSError: Nobody listens there.
    """
    connection = await connect(port)
    if ahead:
        connection.write(ahead)
        await asyncio.sleep(_ARRIVED)
    began = clock()
    try:
        async with asyncio.timeout(_PATIENCE):
            sample = await connection.ask(request, began)
    except TimeoutError:
        return Answer(status=BROKEN, reason="", seconds=clock() - began)
    finally:
        connection.close()
    return Answer(status=sample.status, reason=connection.header(wire.DROPPED_REASON), seconds=sample.seconds)
