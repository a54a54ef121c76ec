"""How long to wait before what failed is tried again. Pure."""

FIRST = 0.1  # seconds after one failure: a server that only closed the connection is there again
CAP = 5.0  # seconds at most for calls to the API server: that long after it is back, everybody has asked it
PATIENCE = 60.0  # seconds at most that a server may ask for
_GROWTH = 2.0
_STEPS = 20  # doublings, more than any cap needs


def delay(failures: int, *, spread: float, retry_after: float = 0.0, cap: float = CAP) -> float:
    """Return the seconds to wait: twice as long after each failure in a row, or as long as the server asks for.

    Args:
        failures: In a row, at least one.
        spread: Drawn evenly from 0 to 1, so that not all come at once: half of the wait, or up to a second more than
            the server asks for.
        retry_after: Seconds that the server asks for; 0 where it asks for none.
        cap: Seconds at most.
    """
    if retry_after > 0:
        return min(retry_after, PATIENCE) + spread
    return min(cap, FIRST * _GROWTH ** min(failures - 1, _STEPS)) * (1.0 + spread) / 2.0
