"""An API server that goes away and comes back: what the picker knows stays in use, for a while."""

import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from functools import partial

import grpc
import pytest
from clusters import Cluster, start, stop, until
from control_planes import ControlPlane
from directors import director
from discovered import LABELS, MAX_AGE, Discovered, discovered
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from gateways import BODY, CHAT, Stream, picker
from relays import Relay, relay

from chimera_router.datalayer import backoff
from chimera_router.director import Director
from chimera_router.errors import ApiFailure

pytestmark = pytest.mark.anyio


@pytest.fixture
async def namespace(cluster: Cluster) -> str:
    """Return a namespace with a pool of one port and one ready pod."""
    namespace = await cluster.namespace()
    await cluster.pool(namespace, 8000, app="engines")
    await cluster.pod(namespace, "a", "10.1.0.1", **LABELS)
    return namespace


@pytest.fixture
async def outage(control_plane: ControlPlane) -> AsyncIterator[ControlPlane]:
    """Stop the API server when a test says so, and have it there again for the next one."""
    yield control_plane
    if not control_plane.running:
        await start(control_plane)


async def failed(found: Discovered, failure: ApiFailure) -> bool:
    return failure in found.failures.failures


async def test_endpoints_stay_while_the_server_is_away(outage: ControlPlane, cluster: Cluster, namespace: str) -> None:
    """A stopped API server takes no endpoint away; once it is back, its news are heard.

    Whether it finds the picker's mirrors too old then depends on what it has read of etcd when it is asked.
    """
    async with discovered(outage.kubeconfig(), namespace) as found:
        await found.names("a")
        await stop(outage)
        await until(partial(failed, found, ApiFailure.UNREACHABLE))
        assert list(found.addresses) == ["a"]

        await start(outage)
        await cluster.pod(namespace, "b", "10.1.0.2", **LABELS)

        assert await found.names("a", "b") < 15.0


async def test_what_happened_meanwhile_is_seen(control_plane: ControlPlane, cluster: Cluster, namespace: str) -> None:
    """Pods that went and came while the network was cut are gone and there once it is mended."""
    async with relay(control_plane.port) as network, follow(control_plane, namespace, network) as found:
        await found.names("a")
        network.cut()
        await cluster.pod(namespace, "b", "10.1.0.2", **LABELS)
        await cluster.delete_pod(namespace, "a")
        await until(partial(failed, found, ApiFailure.UNREACHABLE))
        assert list(found.addresses) == ["a"]

        network.mend()

        assert await found.names("b") < backoff.CAP + 1.0


async def test_endpoints_that_nobody_confirms_are_withdrawn(control_plane: ControlPlane, namespace: str) -> None:
    """Past the age limit nothing is left, not for other models either; the first word of the server brings it back."""
    clock = Jumping()
    async with (
        relay(control_plane.port) as network,
        follow(control_plane, namespace, network, clock=clock) as found,
    ):
        await found.names("a")
        network.cut()
        clock.ahead = MAX_AGE - 5.0
        await until(partial(failed, found, ApiFailure.UNREACHABLE))
        assert list(found.addresses) == ["a"]

        clock.ahead = MAX_AGE
        await found.names()
        (await found.source.prepare(["small"]))()
        assert (list(found.addresses), found.source.synced) == ([], True)

        network.mend()
        await found.names("a")


@pytest.mark.usefixtures("one_loop")
async def test_requests_are_served_until_then_and_refused_with_a_reason(
    control_plane: ControlPlane, namespace: str
) -> None:
    """A request goes to an endpoint that the server confirmed a while ago; past the age limit it gets 503."""
    clock = Jumping()
    async with (
        relay(control_plane.port) as network,
        follow(control_plane, namespace, network, clock=clock) as found,
    ):
        served = director()
        served.datastore = found.datastore
        await found.names("a")
        found.datastore.answered("10.1.0.1:8000", None)
        network.cut()
        await until(partial(failed, found, ApiFailure.UNREACHABLE))
        assert (await ask(served)).request_headers.response.header_mutation.set_headers

        clock.ahead = MAX_AGE
        await found.names()

        refusal = (await ask(served)).immediate_response
        reasons = {each.header.key: each.header.raw_value for each in refusal.headers.set_headers}
        assert (refusal.status.code, reasons["x-chimera-dropped-reason"]) == (503, b"rejected-no-endpoints")


async def ask(served: Director) -> ext_proc.ProcessingResponse:
    """Return the picker's first answer to a request."""
    async with picker(served) as server, grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        stream = Stream(channel)
        await stream.headers(CHAT)
        await stream.body(BODY, end=True)
        answer = await stream.read()
        stream.call.cancel()
        return answer


class Jumping:
    """The real clock, ahead by as much as a test says."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


def follow(
    plane: ControlPlane, namespace: str, network: Relay, **ways: Jumping
) -> AbstractAsyncContextManager[Discovered]:
    """Follow the pool through a network that can be cut."""
    return discovered(plane.kubeconfig(port=network.port), namespace, **ways)
