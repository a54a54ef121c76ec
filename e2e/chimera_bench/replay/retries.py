"""How a client of the replays tries again: after a pause, a bounded number of times."""

# Attempts after the first. With the pauses below they span 5 s: a picker takes a dead engine out in less.
RETRIES = 7

# Seconds before the first retry; each later one waits twice as long, up to the longest.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 1.0


def pause_after(retries: int) -> float:
    """Return the seconds to wait once an attempt has failed that so many others went before."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**retries)
