"""Bring one pool to what it should be. Nothing in memory is truth: it looks, plans, writes, and says what it saw.

Status comes last. Whatever stops it in between, the next look goes on from what is there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from chimera_operator.api.conditions import ConditionType, Finding
from chimera_operator.api.errors import PoolError
from chimera_operator.api.parse import parse_resource
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.cluster import statuses
from chimera_operator.cluster.errors import ApiFailure, ApiServerError, NotOurs, PoolGone
from chimera_operator.cluster.events import Recorder
from chimera_operator.cluster.execution import Execution, Report
from chimera_operator.cluster.observe import Observer
from chimera_operator.cluster.reporting import Reporting
from chimera_operator.cluster.store import Name, Store
from chimera_operator.planning.memory import Memory
from chimera_operator.planning.observed import Observed
from chimera_operator.planning.refusal import refused
from chimera_operator.planning.result import Plan
from chimera_operator.rendering.manifest import Manifest

_REFUSALS = frozenset({ApiFailure.INVALID, ApiFailure.FORBIDDEN, ApiFailure.REJECTED, ApiFailure.SERVER_ERROR})
"""Answers that may stay the same until somebody changes the pool, or the cluster, such as a webhook that is down."""


class Planner(Protocol):
    """Decides what is to be done; see `planning.plan`."""

    def __call__(self, pool: HeterogeneousModelPool, observed: Observed, memory: Memory, *, now: datetime) -> Plan:
        """Return the plan of a pool."""
        ...


class PoolObserver(Protocol):
    """Counts pools and models; see `telemetry.metrics`."""

    def planned(self, pool: Name, plan: Plan) -> None:
        """A pool was looked at, and this is what was seen and is to be done."""

    def gone(self, pool: Name) -> None:
        """There is no such pool any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Brings pools to what they should be, one at a call.

    Attributes:
        pools: The pools.
        observer: Looks.
        planner: Decides.
        execution: Writes.
        reporting: Writes statuses.
        recorder: Tells people.
        counts: Counts what was seen.
        now: The time.
    """

    pools: Store
    observer: Observer
    planner: Planner
    execution: Execution
    reporting: Reporting
    recorder: Recorder
    counts: PoolObserver
    now: Callable[[], datetime]
    _memories: dict[Name, Memory] = field(default_factory=dict)

    async def reconcile(self, name: Name) -> float | None:
        """Bring a pool to what it should be; return the seconds until the next look, None for whenever.

        Raises:
            PoolGone: There is no such pool any more, or another than was heard of, which will be looked at in its turn.
            ApiServerError: The server refuses something, or does not answer.
            NotOurs: An object that the pool needs belongs to somebody else.
        """
        live = self.pools.get(name)
        if live is None or "deletionTimestamp" in live["metadata"]:
            self._memories.pop(name, None)
            self.counts.gone(name)
            raise PoolGone  # what it owns goes with it, by the API server's own hand
        try:
            pool = parse_resource(live)
        except PoolError as error:
            self._memories.pop(name, None)
            await self._refuse(name, live, error)
            return None
        return await self._bring(name, live, pool)

    async def _refuse(self, name: Name, live: Manifest, error: PoolError) -> None:
        """Say that a pool cannot be read; what runs goes on as it is."""
        before, generation = statuses.read(live), live["metadata"].get("generation", 0)
        observed = Observed(objects={}, facts=self.observer.facts())
        plan = refused(error, observed, before=before, generation=generation, now=self.now())
        self.counts.planned(name, plan)
        await self._say(live, plan, Report())

    async def _bring(self, name: Name, live: Manifest, pool: HeterogeneousModelPool) -> float | None:
        observed = await self.observer.look(pool)
        plan = self.planner(pool, observed, self._memories.get(name, Memory()), now=self.now())
        self._memories[name] = plan.memory
        self.counts.planned(name, plan)
        try:
            report = await self.execution.carry_out(live, plan, observed.objects)
        except (ApiServerError, NotOurs) as error:
            if refusal := _refusal(error):
                await self._say(live, plan, Report(), refusal)
            raise
        await self._say(live, plan, report, *_contested(report))
        waits = (plan.again, *(contested.wait for contested in report.contested.values()))
        return min((wait for wait in waits if wait is not None), default=None)

    async def _say(self, live: Manifest, plan: Plan, report: Report, *found: Finding) -> None:
        await self.reporting.planned(live, plan, *found)
        for note in (*plan.notes, *report.notes):
            self.recorder.record(live, note)


def _refusal(error: ApiServerError | NotOurs) -> Finding | None:
    """Return what people should know of a failure; None where it is likely to pass."""
    if isinstance(error, NotOurs):
        return _finding(ConditionType.DEGRADED, "True", "NameTaken", str(error))
    if error.failure in _REFUSALS:
        return _finding(ConditionType.DEGRADED, "True", "ApiServerRefused", error.said)
    return None


def _contested(report: Report) -> Iterator[Finding]:
    for key, contested in report.contested.items():
        message = f"Somebody else goes on changing {contested.field} of {key.kind} {key.name}"
        yield _finding(ConditionType.DEGRADED, "True", "FieldContested", message)


def _finding(kind: ConditionType, status: Literal["True", "False"], reason: str, message: str) -> Finding:
    return Finding(type=kind, status=status, reason=reason, message=message)
