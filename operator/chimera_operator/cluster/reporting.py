"""Say what was seen: statuses, written only where they are not what they should be, and Events."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from chimera_operator.api.conditions import Finding
from chimera_operator.cluster import objects, statuses
from chimera_operator.cluster.errors import ApiFailure, ApiServerError, PoolGone
from chimera_operator.cluster.port import Api
from chimera_operator.cluster.store import Store
from chimera_operator.cluster.view import View
from chimera_operator.planning.result import Plan
from chimera_operator.rendering.kinds import POOLED_MODEL
from chimera_operator.rendering.manifest import Manifest, key_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """Writes statuses.

    Attributes:
        api: The server.
        pools: The pools.
        view: Their children.
        now: The time.
    """

    api: Api
    pools: Store
    view: View
    now: Callable[[], datetime]

    async def planned(self, pool: Manifest, plan: Plan, *found: Finding) -> None:
        """Write the statuses of a plan.

        Args:
            pool: The pool.
            plan: Its plan.
            *found: What was found while it was carried out, in place of what the plan says of it.

        Raises:
            PoolGone: There is no such pool any more.
            ApiServerError: The server refuses, or does not answer.
        """
        for intent in plan.objects:
            if intent["kind"] == POOLED_MODEL.name and (status := plan.models.get(intent["spec"]["model"])):
                await self._model(intent, statuses.plain(status))
        await self._pool(pool, statuses.plain(plan.status), *found)

    async def _model(self, intent: Manifest, status: Manifest) -> None:
        live = self.view.get(key_of(intent))
        if live is not None and live.get("status") != status:
            self.view.learn(await objects.apply_status(self.api, key_of(intent), status))

    async def _pool(self, pool: Manifest, status: Manifest, *found: Finding) -> None:
        for finding in found:
            status = statuses.with_finding(status, finding, live=pool, now=self.now())
        if pool.get("status") == status:
            return
        try:
            self.pools.put(await objects.apply_status(self.api, key_of(pool), status))
        except ApiServerError as error:
            if error.failure is ApiFailure.NOT_FOUND:
                raise PoolGone from None
            raise
