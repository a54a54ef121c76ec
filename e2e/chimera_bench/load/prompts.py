"""Bodies of chat requests, no two of them alike."""

import itertools
import json
import time

from chimera_bench.filler import CHARACTERS_PER_TOKEN, filler
from chimera_bench.load import http1
from chimera_bench.load.cases import Case

CHAT = "/v1/chat/completions"
CHUNKS, GAP_US = "x-load-chunks", "x-load-gap-us"
"""Headers by which a request tells the stand-in what to answer."""

_DIGITS = 12  # of the running number
_MARK = "#" * _DIGITS
_SEED = 7  # of the filler's words


class Prompts:
    """The requests of one case, each with a running number in the middle and at the end of its prompt.

    Half of each prompt is a prefix that all share, as the instructions of one application are. The end differs too,
    because predictors read the beginning and the end of a long prompt: nothing that they keep answers for them.

    Args:
        case: What they ask for.
        first: The first running number; None goes on where no earlier ones have come.
        headers: More lines, each of which ends with CR and LF.
    """

    def __init__(self, case: Case, *, first: int | None = None, headers: str = "") -> None:
        before, self._between, self._after = _body(case).split(_MARK.encode())
        asked = f"{CHUNKS}: {case.chunks}\r\n{GAP_US}: {round(case.gap * 1e6)}\r\n" if case.chunks else ""
        length = len(before) + len(self._between) + len(self._after) + 2 * _DIGITS
        self._before = http1.head("POST", CHAT, length, headers=asked + headers) + before
        self._numbers = itertools.count(_fresh() if first is None else first)

    def next(self) -> bytes:
        """Return the next request, head and body."""
        number = b"%012d" % next(self._numbers)
        return b"".join((self._before, number, self._between, number, self._after))


def _fresh() -> int:
    """Return a number beyond those used so far, on a machine that sends fewer than ten thousand a millisecond."""
    return time.time_ns() // 1_000_000 % 10**8 * 10**4


def _body(case: Case) -> bytes:
    """Return a body of about the case's size with a mark where numbers go."""
    empty = len(_encoded(case, f"{_MARK} {_MARK}"))
    words = max(0, case.body - empty) // CHARACTERS_PER_TOKEN
    half = words // 2
    return _encoded(case, f"{filler(_SEED, 0, half)}{_MARK} {filler(_SEED, half, words)}{_MARK}")


def _encoded(case: Case, content: str) -> bytes:
    document = {
        "model": "auto",
        "messages": [
            {"role": "system", "content": "You are a careful assistant."},
            {"role": "user", "content": content},
        ],
        "max_tokens": 64,
        "temperature": 0.0,
    }
    streamed = {"stream": True, "stream_options": {"include_usage": True}} if case.chunks else {}
    return json.dumps(document | streamed).encode()
