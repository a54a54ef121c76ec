"""How the replicas of a model are replaced when it has changed, and when.

Which way Auto goes is decided from the accelerators that are free when a rollout begins, and stays: the live Deployment
says it. Only where a surging replica finds no place after all the rollout goes on in place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from chimera_operator.api.scaling import Rollout
from chimera_operator.rendering.choices import Strategy

SURGE_WAIT = timedelta(seconds=30)
"""How long a surging replica may be without a place before Auto goes on in place. The scheduler tries again at least
every ten seconds, so it has looked at the cards that the plan saw several times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Where the replicas of a model on one alternative stand.

    Attributes:
        changed: Whether there are some that were told to be something else than what is wished now.
        settled: Whether what they were told is done.
        stalled: Whether it makes no more progress.
        strategy: How they are replaced until now.
        serving: Replicas that serve.
        room: Replicas more that there is room for; None: nobody can tell.
        refused: Whether a new one has found no place for `SURGE_WAIT`, beside old ones.
    """

    changed: bool = False
    settled: bool = True
    stalled: bool = False
    strategy: Strategy = "Surge"
    serving: int = 0
    room: int | None = None
    refused: bool = False

    @property
    def rolling(self) -> bool:
        """Whether they are being replaced, and it goes on."""
        return not (self.changed or self.settled or self.stalled)


def strategy(rollout: Rollout, turn: Turn) -> Strategy:
    """Return how the replicas of one alternative are replaced."""
    if rollout.mode != "Auto":
        return rollout.mode
    surges = _free(turn) if turn.changed else turn.strategy != "InPlace" and not turn.refused
    if not rollout.max_unavailable:
        return "Surge"  # nothing may be missing: without room the new replica waits for cards
    return "Surge" if surges and rollout.max_surge else "InPlace"


def _free(turn: Turn) -> bool:
    return turn.room is None or turn.room > 0


def waits(turns: Sequence[Turn], *, held: bool) -> tuple[bool, ...]:
    """Return which alternatives keep what they have for now although it has changed.

    One at a time is replaced, the one with the fewest serving replicas first: where it fails, the others still serve.
    Where none serves there is nothing to lose and nothing to wait for.

    Args:
        turns: The alternatives of one model.
        held: Whether all of them wait for something else.
    """
    going = set() if held else set(_next(turns))
    return tuple(turn.changed and turn.serving > 0 and index not in going for index, turn in enumerate(turns))


def _next(turns: Sequence[Turn]) -> Iterator[int]:
    changed = [index for index, turn in enumerate(turns) if turn.changed]
    if changed and not any(turn.rolling for turn in turns):
        yield min(changed, key=lambda index: turns[index].serving)
