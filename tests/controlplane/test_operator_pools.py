"""Pools by the real plan, on a real API server with real controllers and scheduler; kwok plays the nodes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from clusters import Cluster, until
from control_planes import ControlPlane
from fake_nodes import Nodes
from grounds import DEPLOYMENT, POOLS, Ground
from kwok_stages import CRASHED, CRASHING, KILLED, NO_IMAGE, OUT_OF_MEMORY, SLOW
from operators import Operator, operator
from pool_documents import COEFFICIENTS, pool_document

from chimera_operator.api.names import MODEL_LABEL
from chimera_operator.planning.plan import plan

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]  # controllers that back off, on a busy machine

H100 = "h100"


class Whole(Ground):
    """A pool, the operator that looks after it with the real plan, and nodes."""

    def __init__(self, cluster: Cluster, namespace: str, running: Operator, there: Nodes) -> None:
        super().__init__(cluster, namespace, running)
        self.nodes = there

    async def conditions(self) -> dict[str, tuple[str, str]]:
        """Return status and reason of each condition of the pool."""
        pool = await self.there(POOLS, "pool")
        return {each["type"]: (each["status"], each["reason"]) for each in pool.get("status", {}).get("conditions", ())}

    async def ready(self, *, seconds: float = 60.0) -> None:
        """Wait until the pool is ready and has come to rest."""

        async def there() -> bool:
            pool = await self.there(POOLS, "pool")
            current = pool.get("status", {}).get("observedGeneration") == pool["metadata"]["generation"]
            found = await self.conditions()
            return current and (found.get("Ready", ("",))[0], found.get("Progressing", ("",))[0]) == ("True", "False")

        await until(there, seconds=seconds)
        await self.operator.still()

    async def failures(self) -> dict[str, tuple[str, int | None] | None]:
        """Return by model why it does not serve, with the exit code."""
        status = (await self.there(POOLS, "pool")).get("status", {})
        failures = {each["name"]: each.get("lastFailure") for each in status.get("models", ())}
        return {name: found and (found["reason"], found.get("exitCode")) for name, found in failures.items()}

    async def engines(self) -> set[tuple[str, str]]:
        """Return model and identity of every engine's pod."""
        pods = await self.cluster.list("v1", "Pod", self.namespace)
        named = [each for each in pods if MODEL_LABEL in _labels(each)]
        return {(_labels(each)[MODEL_LABEL], each["metadata"]["uid"]) for each in named}


@asynccontextmanager
async def whole(control_plane: ControlPlane, cluster: Cluster, namespace: str) -> AsyncIterator[Whole]:
    with control_plane.controller_manager(), control_plane.scheduler(), control_plane.nodes():
        async with operator(control_plane.kubeconfig(), f"--namespace={namespace}", planner=plan) as running:
            yield Whole(cluster, namespace, running, Nodes(cluster))


def pool(*models: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return pool_document(*models, picker={"replicas": 1}, **spec)


def small(*, name: str = "small", slots: int = 16, **fields: Any) -> dict[str, Any]:
    """Return a model on CPUs."""
    engine = {"type": "Simulator", "kvTokens": 100_000, "maxNumSeqs": slots}
    return {"name": name, "engine": engine, "coefficients": COEFFICIENTS, **fields}


def large(**fields: Any) -> dict[str, Any]:
    """Return a model on one H100."""
    accelerators = [{"class": "nvidia-h100", "nodeSelector": {"card": H100}}]
    return small(name="large", accelerators=accelerators, **fields)


async def test_a_pool_lives(control_plane: ControlPlane, cluster: Cluster, namespace: str) -> None:
    """It becomes ready, rests without a write, also for a new operator, and goes without leaving anything."""
    async with whole(control_plane, cluster, namespace) as ground:
        await ground.nodes.add(f"{namespace}-cpu")
        await ground.nodes.add(f"{namespace}-gpu", cards=8, card=H100)
        await ground.apply(pool(small(), large(scaling={"replicas": 2})))
        await ground.ready()
        status = (await ground.there(POOLS, "pool"))["status"]
        assert (status["readyModels"], status["readyReplicas"]) == ("2/2", "3/3")
        assert {each["phase"] for each in status["models"]} == {"Ready"}

        before = ground.operator.api.writes
        for name in ground.operator.parts.pools.names():
            ground.operator.parts.controller.wake(name)
        await ground.operator.still()
        assert ground.operator.api.writes == before
        argv = (control_plane.kubeconfig(), f"--namespace={namespace}")
        async with operator(*argv, planner=plan) as second:
            await second.parts.known()
            await second.still()
            assert (len(second.parts.pools), second.api.writes) == (1, 0)

        await cluster.delete(*POOLS, namespace, "pool")

        async def gone() -> bool:
            return not any([await cluster.list(*kind, namespace) for kind in (DEPLOYMENT, ("v1", "Service"), POOLS)])

        await until(gone, seconds=40.0)
        await ground.nodes.remove(f"{namespace}-cpu")
        await ground.nodes.remove(f"{namespace}-gpu")


async def test_what_did_not_change_is_not_restarted(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """An edit of one model replaces its replicas and nobody else's."""
    async with whole(control_plane, cluster, namespace) as ground:
        await ground.nodes.add(f"{namespace}-cpu")
        await ground.apply(pool(small(), small(name="other")))
        await ground.ready()
        before = dict(await ground.engines())

        await ground.apply(pool(small(slots=17), small(name="other")))
        await ground.ready()

        after = dict(await ground.engines())
        assert after["other"] == before["other"]
        assert after["small"] != before["small"]
        await ground.nodes.remove(f"{namespace}-cpu")


async def test_an_accelerator_that_is_missing_is_told(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """Replicas that no node has cards for are told in words, and come up once one has; then nothing is told."""
    async with whole(control_plane, cluster, namespace) as ground:
        await ground.nodes.add(f"{namespace}-cpu")
        await ground.apply(pool(small(), large()))

        async def told() -> bool:
            return await ground.failures() == {"small": None, "large": ("Unschedulable", None)}

        await until(told, seconds=60.0)
        assert (await ground.conditions())["CapacityLimited"][0] == "True"

        await ground.nodes.add(f"{namespace}-gpu", cards=1, card=H100)
        await ground.ready()
        assert (await ground.conditions()).get("CapacityLimited", ("False",))[0] == "False"
        models = (await ground.there(POOLS, "pool"))["status"]["models"]
        assert not [each for each in models if "lastFailure" in each]
        for name in ("cpu", "gpu"):
            await ground.nodes.remove(f"{namespace}-{name}")


async def test_why_replicas_do_not_serve_is_told(control_plane: ControlPlane, cluster: Cluster, namespace: str) -> None:
    """By reason and exit code; the others serve, and each Event is posted once."""
    async with whole(control_plane, cluster, namespace) as ground:
        await ground.nodes.add(f"{namespace}-cpu")
        await ground.apply(pool(small(), *(small(name=name) for name in (CRASHING, KILLED, NO_IMAGE))))
        wanted = {
            "small": None,
            CRASHING: ("CrashLoop", CRASHED),
            KILLED: ("OutOfMemory", OUT_OF_MEMORY),
            NO_IMAGE: ("ImagePull", None),
        }

        async def told() -> bool:
            return await ground.failures() == wanted

        await until(told, seconds=60.0)
        status = (await ground.there(POOLS, "pool"))["status"]
        phases = {each["name"]: each["phase"] for each in status["models"]}
        assert phases == {"small": "Ready", **dict.fromkeys((CRASHING, KILLED, NO_IMAGE), "Failed")}
        await ground.operator.still()
        texts = [each["note"] for each in await ground.events() if each["reportingController"].startswith("chimera")]
        assert len(texts) == len(set(texts)) >= 3
        await ground.nodes.remove(f"{namespace}-cpu")


async def test_an_engine_that_loads_is_waited_for(
    control_plane: ControlPlane, cluster: Cluster, namespace: str
) -> None:
    """It is no failure, the model is not ready before its engine is, and then it is."""
    async with whole(control_plane, cluster, namespace) as ground:
        await ground.nodes.add(f"{namespace}-cpu")
        await ground.apply(pool(small(name=SLOW)))

        async def loading() -> bool:
            pods = await cluster.list("v1", "Pod", namespace)
            return any(each["status"].get("phase") == "Running" for each in pods if MODEL_LABEL in _labels(each))

        await until(loading, seconds=60.0)
        assert await ground.failures() == {SLOW: None}
        assert (await ground.conditions())["Ready"][0] == "False"

        await ground.ready()
        await ground.nodes.remove(f"{namespace}-cpu")


async def test_what_is_mended_is_told_no_longer(control_plane: ControlPlane, cluster: Cluster, namespace: str) -> None:
    """A model that failed and was taken out leaves nothing behind in the status."""
    async with whole(control_plane, cluster, namespace) as ground:
        await ground.nodes.add(f"{namespace}-cpu")
        await ground.apply(pool(small(), small(name=CRASHING)))

        async def failed() -> bool:
            return (await ground.failures()).get(CRASHING) == ("CrashLoop", CRASHED)

        await until(failed, seconds=60.0)
        await ground.apply(pool(small()))
        await ground.ready()

        assert await ground.failures() == {"small": None}
        await ground.nodes.remove(f"{namespace}-cpu")


def _labels(manifest: dict[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = manifest["metadata"].get("labels", {})
    return labels
