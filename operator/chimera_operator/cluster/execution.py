"""Carry out a plan: its objects in their order, then the end of what nobody wants any more."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from chimera_operator.cluster import objects
from chimera_operator.cluster.applying import Applier, Contested, Written
from chimera_operator.cluster.errors import ApiFailure, ApiServerError, PoolGone
from chimera_operator.cluster.port import Api
from chimera_operator.cluster.store import Name, Store
from chimera_operator.cluster.view import View
from chimera_operator.planning.reading.objects import items
from chimera_operator.planning.result import Plan
from chimera_operator.planning.status.notes import Note
from chimera_operator.rendering.manifest import Manifest, ObjectKey, key_of

_MANAGER = re.compile(r'conflict with "([^"]+)"')  # the API server's words about a field that somebody else has


@dataclass(slots=True)
class Report:
    """What happened that people should know.

    Attributes:
        notes: To be told.
        contested: Objects that are left as they are for a while.
    """

    notes: list[Note] = field(default_factory=list)
    contested: dict[ObjectKey, Contested] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Carries out plans.

    Attributes:
        api: The server.
        applier: Writes objects.
        view: Learns at once what was written.
        pools: The pools.
    """

    api: Api
    applier: Applier
    view: View
    pools: Store

    async def carry_out(self, pool: Manifest, plan: Plan, live: Mapping[ObjectKey, Manifest]) -> Report:
        """Write what has to be written, and return what was remarkable about it.

        Args:
            pool: The pool that was planned for.
            plan: Its plan.
            live: Its children, as they were observed.

        Raises:
            PoolGone: The pool is not the one that was planned for any more; nothing was written.
            NotOurs: An object of that name belongs to somebody else. What stands after it was not written.
            ApiServerError: The server refuses. What stands after it was not written.
        """
        report = Report()
        due = [intent for intent in plan.objects if self._due(plan, intent, live)]
        orphans = list(_orphans(pool, plan, live))
        if due or orphans:
            await self._confirm(pool)
        for intent in due:
            await self._bring(intent, live.get(key_of(intent)), report)
        for orphan in orphans:
            await self._end(orphan)
        return report

    def _due(self, plan: Plan, intent: Manifest, live: Mapping[ObjectKey, Manifest]) -> bool:
        key = key_of(intent)
        return key not in plan.untouched and self.applier.due(intent, live.get(key))

    async def _confirm(self, pool: Manifest) -> None:
        """Ask whether the pool is still the one that was planned for: what was heard of it may be old."""
        fresh = await objects.read(self.api, key_of(pool))
        if fresh is None:
            self.pools.forget(Name(pool["metadata"]["namespace"], pool["metadata"]["name"]))
            raise PoolGone
        if any(fresh["metadata"].get(key) != pool["metadata"].get(key) for key in ("uid", "generation")):
            self.pools.put(fresh)
            raise PoolGone

    async def _bring(self, intent: Manifest, live: Manifest | None, report: Report) -> None:
        match await self.applier.bring(intent, live):
            case Written() as written:
                self.view.learn(written.live)
                report.notes.extend(_taken(written))
            case Contested() as contested:
                report.contested[key_of(intent)] = contested
            case None:
                pass

    async def _end(self, orphan: Manifest) -> None:
        try:
            await self.applier.delete(orphan)
        except ApiServerError as error:
            if error.failure is not ApiFailure.CONFLICT:  # it has just changed, which wakes the pool
                raise
        else:
            self.view.forget(key_of(orphan))


def _orphans(pool: Manifest, plan: Plan, live: Mapping[ObjectKey, Manifest]) -> Iterator[Manifest]:
    """Yield the pool's own children that the plan does not have, the last first; a plan without any decides nothing."""
    wanted = {key_of(intent) for intent in plan.objects}
    for key, child in reversed(tuple(live.items())):
        owned = any(owner["uid"] == pool["metadata"]["uid"] for owner in items(child, "metadata", "ownerReferences"))
        if wanted and owned and key not in wanted and "deletionTimestamp" not in child["metadata"]:
            yield child


def _taken(written: Written) -> Iterator[Note]:
    key = key_of(written.live)
    for path, said in written.taken:
        who = matched[1] if (matched := _MANAGER.search(said)) else "somebody else"
        message = f"{key.kind} {key.name}: {path.removeprefix('.')} was set by {who} and is set back"
        yield Note(type="Warning", reason="FieldTaken", message=message, key=f"{key.kind}/{key.name}/{path}/{who}")
