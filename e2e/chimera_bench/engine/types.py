"""What goes into an engine and what comes out of it, as values."""

from dataclasses import dataclass
from enum import StrEnum


class SchedulingPolicy(StrEnum):
    """Order of the waiting queue: by arrival, or by (`priority`, arrival) with the lowest number first."""

    FCFS = "fcfs"
    PRIORITY = "priority"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One generation.

    Attributes:
        id: Unique among the requests that have not ended.
        prompt_tokens: Tokens of the whole prompt, at least 1.
        output_tokens: Tokens it generates before it ends, at least 1.
        priority: Lower goes first; read under `SchedulingPolicy.PRIORITY` only.
        conversation: Requests with the same one share their prompts' beginning; empty shares with nobody.
    """

    id: str
    prompt_tokens: int
    output_tokens: int
    priority: int = 0
    conversation: str = ""

    def __post_init__(self) -> None:
        if self.prompt_tokens < 1 or self.output_tokens < 1:
            raise ValueError("A request has at least one token of prompt and one of output")


class EventKind(StrEnum):
    """What can happen to a request inside an engine."""

    ADMITTED = "admitted"
    FIRST_TOKEN = "first-token"  # noqa: S105 - an event, not a secret
    PREEMPTED = "preempted"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a request at a moment.

    Attributes:
        at: Seconds on the caller's clock.
        submitted_at: When the request came, on the same clock.
        cached_tokens: Tokens of the prompt that needed no prefill; of `ADMITTED` only.
    """

    kind: EventKind
    request: Request
    at: float
    submitted_at: float
    cached_tokens: int = 0


class DoesNotFit(ValueError):  # noqa: N818 - the rule it names
    """A request that the engine's whole KV cache could not hold."""

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"prompt and output together must be at most {limit} tokens")
        self.limit = limit
