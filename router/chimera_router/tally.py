"""Counts since the start, for the status page."""

from collections import Counter
from dataclasses import dataclass, field

from chimera_router.scheduling.types import Assignment, Decision
from chimera_router.workflow.identity import FoundBy
from chimera_router.workflow.table import Arrival


@dataclass(slots=True)
class Tally:
    """What became of the requests so far.

    Attributes:
        requests: Number sent to each model.
        asked: When each model was last chosen, whether or not it had an engine; seconds on the caller's clock.
        stages: Requests of workflows, all of them.
        later_stages: Those of workflows that had begun before.
        recognised: Of these, those found by their messages.
        kept: Of these, those that stayed with their workflow's model.
    """

    requests: Counter[str] = field(default_factory=Counter)
    asked: dict[str, float] = field(default_factory=dict)
    stages: int = 0
    later_stages: int = 0
    recognised: int = 0
    kept: int = 0

    def count(self, arrival: Arrival, decision: Decision, *, previous: Assignment | None, now: float) -> bool:
        """A request goes to an engine; return whether it stays with the model of its workflow's previous one."""
        self.requests[decision.model] += 1
        self.asked[decision.model] = now
        self.stages += 1
        if arrival.program.stage == 0:
            return False
        kept = previous is not None and previous.model == decision.model
        self.later_stages += 1
        self.recognised += arrival.found_by is FoundBy.MESSAGES
        self.kept += kept
        return kept
