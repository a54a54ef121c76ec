"""How long to wait before a call that failed is made again."""

FIRST = 0.1  # seconds after one failure: a server that only closed the connection is there again
CAP = 5.0  # seconds at most: that long after an API server is back, every picker has asked it
PATIENCE = 60.0  # seconds at most that a server may ask for
_GROWTH = 2.0
_STEPS = 6  # doublings until the cap


def delay(failures: int, *, spread: float, retry_after: float = 0.0) -> float:
    """Return the seconds to wait: twice as long after each failure in a row, or as long as the server asks for.

    Args:
        failures: In a row, at least one.
        spread: Drawn evenly from 0 to 1, so that pickers do not come all at once: half of the wait, or up to a second
            more than the server asks for.
        retry_after: Seconds that the server asks for; 0 where it asks for none.
    """
    if retry_after > 0:
        return min(retry_after, PATIENCE) + spread
    return min(CAP, FIRST * _GROWTH ** min(failures - 1, _STEPS)) * (1.0 + spread) / 2.0
