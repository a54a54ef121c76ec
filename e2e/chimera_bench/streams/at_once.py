"""Thousands of streams that are opened in the same instant, and held."""

import asyncio
import time
from dataclasses import dataclass

from chimera_bench.idle_picker import IdlePicker
from chimera_bench.streams import messages
from chimera_bench.streams.link import Link

WAIT = 60.0  # seconds for the last answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What was measured.

    Attributes:
        streams: Opened.
        refused: Of them, ended by the picker.
        waits: Seconds from the instant to the first answer on each stream.
        held_kb: Memory that each takes while it waits for its engine's answer.
    """

    streams: int
    refused: int
    waits: list[float]
    held_kb: float


async def open_at_once(picker: IdlePicker, streams: int) -> Crowd:
    """Open streams with a request each in one write, wait for every answer, look at what they take, and end them."""
    link, before = await Link.to(picker.grpc_port), picker.resident_bytes()
    for number in range(streams):
        link.begin(messages.request(number))
    exchanges, began = tuple(link.open.values()), time.perf_counter()
    link.flush()
    async with asyncio.timeout(WAIT):
        while not all(exchange.answered for exchange in exchanges) and link.goodbye is None:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
    held = (picker.resident_bytes() - before) / streams / 1024
    for stream in tuple(link.open):
        link.give_up(stream)
    link.flush()
    await picker.settled()
    link.close()
    return Crowd(
        streams=streams,
        refused=sum(exchange.status is not None for exchange in exchanges),
        waits=[exchange.answered - began for exchange in exchanges if exchange.received],
        held_kb=held,
    )
