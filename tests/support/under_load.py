"""Chats with a pool while something happens to it, and its status beside what they see."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from served_pools import Look, Served, watched
from status_truth import lies
from steady_chats import Chats, Pace, chatting

RATE = 10.0  # chats a second, over all models
TOKENS = 100  # of an answer, 50 ms each
ANSWER = 5.0  # seconds that one takes
SETTLE = 3.0  # seconds of chats before and after what happens
NOTICED = 15.0  # seconds after a loss within which every new chat gets its answer


class Seen(NamedTuple):
    """What clients saw, and what the pool's status said meanwhile.

    Attributes:
        chats: Of clients; every other one is streamed.
        looks: The status, each second.
    """

    chats: Chats
    looks: list[Look]


@contextmanager
def under_load(
    served: Served, what: str, *, models: tuple[str, ...] = ("small", "large"), rate: float = RATE, tokens: int = TOKENS
) -> Iterator[Seen]:
    """Chat with a pool before, while and after something happens to it, and print what became of the chats.

    Raises:
        AssertionError: There were not half as many chats as were to be; or the status was not true.
    """
    began = time.monotonic()
    with (
        served.entrance() as url,
        watched(served) as looks,
        chatting(Pace(url=url, rate=rate, tokens=tokens, models=models)) as chats,
    ):
        time.sleep(SETTLE)
        yield Seen(chats, looks)
        time.sleep(SETTLE)
        seconds = time.monotonic() - began
    counted = f"{len(chats.ended)} chats in {seconds:.0f} s, {len(chats.failed)} without a whole answer"
    sys.stdout.write(f"{what}: {counted} {dict(chats.failures()) or ''}\n")
    assert len(chats.ended) > seconds * rate / 2
    told = lies(looks, chats.ended)
    assert not told, "\n".join(told)
