"""Very many pools in a cluster without nodes, whose pods are said to run."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from chimera_operator.api import crds
from chimera_operator.api.names import MODEL_LABEL, POOL_LABEL
from chimera_operator.cluster import resources
from chimera_operator.cluster.client import decoded
from chimera_operator.cluster.errors import ApiServerError
from chimera_operator.cluster.port import Api, Call, Verb
from chimera_operator.cluster.resources import POD
from chimera_operator.cluster.store import Name
from chimera_operator.rendering.kinds import DEPLOYMENT, POOL, Kind
from chimera_operator.rendering.manifest import MANAGED_BY_LABEL, MANAGER

NAMESPACES = 20
TOGETHER = 16  # calls at a time: more only wait in the API server
PODS = 4  # of a pool: two pickers, and a replica of each model
MODELS = ("small", "large")
HOME = "chimera-scale"
"""Namespace of the operator's lease."""

_DEFINITION = Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")
_NAMESPACE = Kind("v1", "Namespace")
_FORCE = {"fieldManager": "scale", "force": "true"}
_COEFFICIENTS = {"baseStepMs": 8.0, "stepPerSequenceUs": 30.0, "prefillUsPerToken": 20.0}
_READY = [{"type": kind, "status": "True"} for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")]


class Ground:
    """Pools of two simulated models, evenly in some namespaces.

    Args:
        api: The server.
        pools: How many.

    Attributes:
        names: Of the pools.
    """

    def __init__(self, api: Api, pools: int) -> None:
        self.names = tuple(Name(f"scale-{number % NAMESPACES}", f"pool-{number}") for number in range(pools))
        self._places = frozenset(name.namespace for name in self.names)
        self._api = api

    async def prepare(self) -> None:
        """Install the definitions, and make namespaces and pools."""
        for definition in crds.definitions().values():
            await self._apply(_DEFINITION, Name("", definition["metadata"]["name"]), spec=definition["spec"])
        await until(self._served)
        await _together(self._apply(_NAMESPACE, Name("", place)) for place in {HOME, *self._places})
        await _together(self.scale(name, 1) for name in self.names)

    async def remove(self) -> None:
        """Delete the namespaces, and with them everything in them."""
        for place in {HOME, *self._places}:
            await self._api.call(Call(verb=Verb.DELETE, path=resources.path(_NAMESPACE, name=place)))

    async def run_pods(self) -> None:
        """Wait for the pods of all pools, and say of each that it is ready, unless it is."""
        pods: list[dict[str, Any]] = []

        async def there() -> bool:
            pods[:] = await self._pods()
            return len(pods) >= PODS * len(self.names)

        await until(there, every=1.0)
        await _together(self._run(pod["metadata"], number) for number, pod in enumerate(pods) if not _runs(pod))

    async def scale(self, pool: Name, replicas: int) -> None:
        """Have a pool ask for so many replicas of its first model."""
        asked = dict.fromkeys(MODELS, 1) | {MODELS[0]: replicas}
        models = [_model(model, count) for model, count in asked.items()]
        await self._apply(POOL, pool, spec={"models": models})

    async def reached(self, pool: Name, replicas: int) -> float:
        """Have a pool scaled; return the seconds until its Deployment is."""
        path = await self._deployment(pool)

        async def scaled() -> bool:
            return bool((await self._get(path))["spec"]["replicas"] == replicas)

        began = time.perf_counter()
        await self.scale(pool, replicas)
        await until(scaled, every=0.005)
        return time.perf_counter() - began

    async def _deployment(self, pool: Name) -> str:
        labels = f"{POOL_LABEL}={pool.name},{MODEL_LABEL}={MODELS[0]}"
        path = resources.path(DEPLOYMENT, namespace=pool.namespace)
        (found,) = (await self._get(path, labelSelector=labels))["items"]
        return resources.path(DEPLOYMENT, namespace=pool.namespace, name=found["metadata"]["name"])

    async def _pods(self) -> list[dict[str, Any]]:
        found = await self._get(resources.path(POD), labelSelector=f"{MANAGED_BY_LABEL}={MANAGER}")
        return [pod for pod in found["items"] if pod["metadata"]["namespace"] in self._places]

    async def _run(self, metadata: dict[str, Any], number: int) -> None:
        ip = f"10.{100 + number // 65536}.{number // 256 % 256}.{number % 256}"
        status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": _READY}
        path = resources.path(POD, namespace=metadata["namespace"], name=metadata["name"], subresource="status")
        await self._api.call(Call(verb=Verb.PATCH, path=path, body={"status": status}))

    async def _served(self) -> bool:
        try:
            await self._get(resources.path(POOL))
        except ApiServerError:
            return False
        return True

    async def _get(self, path: str, **query: str) -> dict[str, Any]:
        return decoded(await self._api.call(Call(verb=Verb.GET, path=path, query=query)))

    async def _apply(self, kind: Kind, name: Name, **fields: Any) -> None:
        metadata = {"name": name.name, **({"namespace": name.namespace} if name.namespace else {})}
        body = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata} | fields
        path = resources.path(kind, namespace=name.namespace, name=name.name)
        await self._api.call(Call(verb=Verb.APPLY, path=path, query=_FORCE, body=body))


def _runs(pod: dict[str, Any]) -> bool:
    return bool(pod["status"].get("phase") == "Running")


def _model(name: str, replicas: int) -> dict[str, Any]:
    engine = {"type": "Simulator", "kvTokens": 100_000}
    return {"name": name, "engine": engine, "coefficients": _COEFFICIENTS, "scaling": {"replicas": replicas}}


async def _together(works: Iterable[Awaitable[None]]) -> None:
    """Wait for all, a few at a time."""
    turns = asyncio.Semaphore(TOGETHER)

    async def one(work: Awaitable[None]) -> None:
        async with turns:
            await work

    await asyncio.gather(*map(one, works))


async def until(condition: Callable[[], Awaitable[bool]], *, every: float = 0.1) -> None:
    """Wait for a condition, asked for every so many seconds."""
    while not await condition():  # noqa: ASYNC110 - another process
        await asyncio.sleep(every)
