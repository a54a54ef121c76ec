"""One workflow as the picker remembers it."""

import math
from collections import deque
from dataclasses import dataclass, field

from chimera_router.scheduling.types import Assignment
from chimera_router.values import value


@value
class Choice:
    """The model that answers a workflow, and the confidence in it when it was chosen: before and after correction."""

    model: str
    confidence: float
    corrected: float


@value(kw_only=True)
class Untold:
    """An answer that passed unseen: what was predicted of it, until the client sends it back and its length is known.

    Attributes:
        stage: 0-based index of its request.
        predicted_tokens: By the bundle itself; None where there is nothing to learn about it.
        fingerprint: Opaque digest of the application and its tenant.
    """

    model: str
    stage: int
    predicted_tokens: float | None
    fingerprint: str


@dataclass(slots=True, kw_only=True, eq=False)
class Program:
    """One workflow. Only the table changes it.

    Attributes:
        ordinal: Number of workflows before it.
        stage: 0-based index of its latest request.
        tokens: Output tokens of all stages that have ended.
        last_tokens: Output tokens of the latest stage that has ended.
        largest_tokens: Output tokens of the longest stage that has ended.
        assignment: Where its latest request went.
        digest: Of the latest request's messages.
        answered: Whether that request has its answer.
        in_flight: Requests that have come and not yet gone.
        latest: Digests of the latest answer, while no request has followed it.
        keys: Digests by which the index knows it, oldest first.
        responses: Where responses that it may go on from are kept, by digest.
        request_id: Of the latest request; empty where it had none.
        choice: What feedback will be held against; None until its first request was decided.
        judged: Whether it has had its feedback.
        untold: The latest answer, where it passed unseen.
        asked: Seconds on a monotonic clock when its latest request came, to whichever picker.
        touched: Seconds on that clock when a request last came or went.
        elsewhere_stages: Of its stages, those that other pickers served.
        elsewhere_tokens: Of its tokens, those of such stages.
    """

    tenant: str
    id: str
    ordinal: int
    stage: int = 0
    tokens: int = 0
    last_tokens: int = 0
    largest_tokens: int = 0
    assignment: Assignment | None = None
    digest: bytes = b""
    answered: bool = False
    in_flight: int = 0
    latest: tuple[bytes, ...] = ()
    keys: deque[bytes] = field(default_factory=deque)
    responses: dict[bytes, Assignment] = field(default_factory=dict)
    request_id: str = ""
    choice: Choice | None = None
    judged: bool = False
    untold: Untold | None = None
    asked: float = -math.inf
    touched: float = 0.0
    elsewhere_stages: int = 0
    elsewhere_tokens: int = 0
