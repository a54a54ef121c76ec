"""What a body costs that nests without end."""

import time
from collections.abc import Callable

import pytest

from chimera_router.errors import InvalidRequest
from chimera_router.parsing.limits import Limits

LEVELS = 100_000
ONE_PASS = bytes.maketrans(b"{}", b"[]")
BODIES = {
    "arrays": b'{"x": ' + b"[" * LEVELS + b"1" + b"]" * LEVELS + b"}",
    "objects": b'{"x": ' + b'{"a":' * LEVELS + b"1" + b"}" * LEVELS + b"}",
    "pairs": b"[[]," * LEVELS + b"1" + b"]" * LEVELS,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_nests_without_end_is_refused_in_a_few_passes(body: bytes) -> None:
    """The event loop waits for the check, so it may look at each byte a few times, not once for each level allowed."""

    def check() -> None:
        with pytest.raises(InvalidRequest):
            Limits().check_depth(body)

    assert quickest(check) < 30 * quickest(lambda: body.translate(ONE_PASS))


def quickest(work: Callable[[], object]) -> float:
    """Return the seconds of the fastest of several tries: what else the machine does only adds."""
    seconds = []
    for _ in range(10):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
