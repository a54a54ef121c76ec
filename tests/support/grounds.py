"""A namespace with a pool, and an operator that looks after it."""

from typing import Any

from clusters import Cluster, until
from operators import Operator

from chimera_operator.api.names import model_object_name

SMALL = model_object_name("pool", "small")
POOLS = "chimera.dev/v1alpha1", "HeterogeneousModelPool"
POOLED_MODEL = "chimera.dev/v1alpha1", "PooledModel"
CONFIG_MAP, SERVICE, DEPLOYMENT = ("v1", "ConfigMap"), ("v1", "Service"), ("apps/v1", "Deployment")
INFERENCE_POOL = "inference.networking.k8s.io/v1", "InferencePool"


class Ground:
    """A namespace with a pool, and the operator that looks after it."""

    def __init__(self, cluster: Cluster, namespace: str, running: Operator) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.operator = running

    async def apply(self, document: dict[str, Any]) -> None:
        metadata = {**document["metadata"], "namespace": self.namespace}
        await self.cluster.apply({**document, "metadata": metadata})

    async def child(self, kind: tuple[str, str], name: str = SMALL) -> dict[str, Any] | None:
        return await self.cluster.get(*kind, self.namespace, name)

    async def there(self, kind: tuple[str, str], name: str = SMALL) -> dict[str, Any]:
        found: dict[str, Any] = {}

        async def appeared() -> bool:
            nonlocal found
            found = await self.child(kind, name) or {}
            return bool(found)

        await until(appeared)
        return found

    async def settled(self) -> None:
        """Wait until the pool has a status and the operator has nothing left to do."""

        async def told() -> bool:
            pool = await self.child(POOLS, "pool")
            return bool(pool and pool.get("status"))

        await until(told)
        await self.operator.still(seconds=0.3)

    async def replicas(self) -> int:
        """Return what the Deployment of the small model asks for; 0 where there is none."""
        found = await self.child(DEPLOYMENT)
        return int(found["spec"]["replicas"]) if found else 0

    async def reasons(self) -> set[str]:
        """Return the reasons of the pool's conditions."""
        pool = await self.child(POOLS, "pool") or {}
        return {each["reason"] for each in pool.get("status", {}).get("conditions", ())}

    async def events(self) -> list[dict[str, Any]]:
        """Return the Events of the namespace."""
        return await self.cluster.list("events.k8s.io/v1", "Event", self.namespace)
