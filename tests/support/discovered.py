"""Endpoints as the picker finds them in a real cluster, in the test's own event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from clusters import until
from scripted_apis import Failures

from chimera_router.datalayer.api_server import ApiServer
from chimera_router.datalayer.datastore import Datastore
from chimera_router.datalayer.kubernetes import KubernetesEndpoints
from chimera_router.datalayer.membership import Standing
from chimera_router.datalayer.watcher import Watcher
from chimera_router.scheduling.ledger import Ledger

MODEL = "chimera.dev/model"
MAX_AGE = 120.0  # seconds; the least that a configuration may say
LABELS = {"app": "engines", MODEL: "small"}


class Discovered:
    """A datastore that follows the pool `pool` of a namespace.

    Attributes:
        failures: What went wrong at the API server.
    """

    def __init__(self, kubeconfig: Path, namespace: str, **ways: Any) -> None:
        self.failures = Failures()
        self.datastore = Datastore(Ledger())
        self.source = KubernetesEndpoints(
            Watcher(api=ApiServer(kubeconfig), observer=self.failures, **ways),
            self.datastore,
            namespace=namespace,
            inference_pool="pool",
            max_age=MAX_AGE,
        )

    @property
    def addresses(self) -> dict[str, str]:
        """The endpoints, by name."""
        return {endpoint.name: endpoint.address for endpoint in self.datastore.endpoints}

    @property
    def counts(self) -> dict[Standing, int]:
        """What the ports of the pods are, those that there are."""
        return {standing: count for standing, count in self.source.counts.items() if count}

    async def names(self, *names: str, seconds: float = 20.0) -> float:
        """Return, once these are the endpoints, the seconds that took."""

        async def so() -> bool:
            return sorted(self.addresses) == sorted(names)

        return await until(so, seconds=seconds)


@asynccontextmanager
async def discovered(
    kubeconfig: Path, namespace: str, *, models: tuple[str, ...] = ("small", "large"), **ways: Any
) -> AsyncIterator[Discovered]:
    """Follow the pool while the test runs."""
    found = Discovered(kubeconfig, namespace, **ways)
    (await found.source.prepare(models))()
    following = asyncio.ensure_future(found.source.run())
    try:
        yield found
    finally:
        following.cancel()
        await asyncio.wait((following,))
        assert following.cancelled(), "it ended by itself"
