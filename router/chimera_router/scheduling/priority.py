"""Put requests in order: the workflow with the least work left first, and nobody waits for ever."""

EPOCH = 1_767_225_600.0  # seconds; 2026-01-01T00:00:00Z, fixed so that every picker replica counts from the same moment

DEFAULT_AGING_RATE = 20.0
"""Tokens a second by which a waiting request improves: one that needs 500 tokens more waits 25 s longer at most."""


def priority(*, remaining_tokens: float, arrival: float, aging_rate: float) -> int:
    """Return the number for an engine's queue, in tokens; lower goes first.

    An engine reads it once, at submission. Counting arrival time in tokens makes it age by itself: what came
    `remaining / aging_rate` seconds later stands behind, whatever its length (vLLM cannot re-order a queued request).

    Args:
        remaining_tokens: Predicted output tokens of this and all later stages.
        arrival: Seconds since the Unix epoch.
        aging_rate: Tokens a second.
    """
    return round(remaining_tokens + aging_rate * (arrival - EPOCH))
