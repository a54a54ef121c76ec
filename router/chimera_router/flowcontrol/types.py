"""The words of flow control."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chimera_router.scheduling.types import DropReason
from chimera_router.values import value

DEFAULT_MAX_REQUESTS = 5000
"""Requests; llm-d's picker holds as many of one priority."""

DEFAULT_MAX_BYTES = 256 * 1024 * 1024
"""Bytes of bodies; sixteen of the largest that a picker takes, a quarter of a GiB of its memory."""

DEFAULT_TTL = 60.0
"""Seconds; what llm-d's picker gives a request, and OpenAI's clients give up at ten times that."""

MAX_TTL = 300.0
"""Seconds; half of what gateways give a picker for its answer."""


@value(kw_only=True)
class HoldLimits:
    """Caps on what waits, and how it is told apart.

    Attributes:
        max_requests: Requests that wait at once.
        max_bytes: Bytes of their bodies.
        per_tenant_max_requests: Requests of one tenant among them.
        per_tenant_max_bytes: Bytes of their bodies.
        ttl: Seconds after which a request that still waits is refused.
        objectives: Priority class by the name of an InferenceObjective. An unknown name is class 0.
    """

    max_requests: int = DEFAULT_MAX_REQUESTS
    max_bytes: int = DEFAULT_MAX_BYTES
    per_tenant_max_requests: int = DEFAULT_MAX_REQUESTS
    per_tenant_max_bytes: int = DEFAULT_MAX_BYTES
    ttl: float = DEFAULT_TTL
    objectives: Mapping[str, int] = field(default_factory=dict)


@value(kw_only=True)
class Lane:
    """Where a request may go: requests of one lane wait for the same endpoints.

    Attributes:
        model: The model chosen for it.
        subset: Addresses the gateway allows; None allows all.
    """

    model: str
    subset: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Item:
    """A request that asks for admission. Two of them are never equal.

    Attributes:
        tenant: Who is charged for it.
        priority: Its class: a higher one goes strictly first, a negative one is given up for the others.
        rank: Its place among its tenant's requests of the class; lower goes first. It counts the time of arrival, so
            it ages by itself.
        cost: Predicted output tokens of the request, which its tenant is charged.
        size: Bytes of its body.
        context: Tokens it would hold in the KV cache.
        deadline: Seconds on the caller's clock at which it has waited long enough.
    """

    tenant: str
    priority: int
    rank: float
    cost: float
    size: int
    lane: Lane
    context: float
    deadline: float


@value
class Admitted:
    """It goes to an engine now."""


@value
class Held:
    """It waits; those it displaced, of lower classes, are refused."""

    displaced: tuple[Item, ...] = ()


@value(kw_only=True)
class Refused:
    """It is turned away.

    Attributes:
        retry_after: Whole seconds after which it is worth trying again.
    """

    reason: DropReason
    retry_after: int


@dataclass(slots=True)
class Totals:
    """What waits, added up."""

    requests: int = 0
    size: int = 0
    tokens: float = 0.0

    def add(self, item: Item, *, times: int = 1) -> None:
        """Count an item, or with `times` -1 discount it."""
        self.requests += times
        self.size += times * item.size
        self.tokens += times * item.cost
