"""Find blocking calls of the picker's on an event loop."""

from collections.abc import Iterator
from contextlib import contextmanager

from blockbuster import blockbuster_ctx


@contextmanager
def nothing_blocks() -> Iterator[None]:
    """Fail whatever makes a blocking call from code of the picker's on the event loop, until the block ends.

    But for a thread that is joined: grpc does so when its last channel goes, which may be an earlier test's that is
    collected by then, from any line of code.
    """
    with blockbuster_ctx("chimera_router") as found:
        found.functions["threading.Lock.acquire"].can_block_in("threading.py", "_wait_for_tstate_lock")
        yield
