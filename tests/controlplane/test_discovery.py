"""Endpoints in a real cluster: what pods and their pool do, the picker sees."""

from collections.abc import AsyncIterator

import pytest
from clusters import Cluster
from control_planes import ControlPlane
from discovered import LABELS, MODEL, Discovered, discovered

from chimera_router.datalayer.membership import Standing

pytestmark = pytest.mark.anyio


@pytest.fixture
async def namespace(cluster: Cluster) -> str:
    """Return a namespace with a pool of one port."""
    namespace = await cluster.namespace()
    await cluster.pool(namespace, 8000, app="engines")
    return namespace


@pytest.fixture
async def found(control_plane: ControlPlane, namespace: str) -> AsyncIterator[Discovered]:
    async with discovered(control_plane.kubeconfig(), namespace) as following:
        yield following


async def test_pod_comes_and_goes(cluster: Cluster, namespace: str, found: Discovered) -> None:
    """A pod that becomes ready is an endpoint within seconds, and none within seconds of being deleted."""
    await cluster.pod(namespace, "a", "10.1.0.1", **LABELS)
    came = await found.names("a")
    assert found.addresses == {"a": "10.1.0.1:8000"}

    await cluster.delete_pod(namespace, "a")
    went = await found.names()

    assert max(came, went) < 2.0


async def test_pods_that_are_there_are_found(control_plane: ControlPlane, cluster: Cluster, namespace: str) -> None:
    """What was there before the picker is found by its first list; then, not before, it says that it is synced."""
    await cluster.pod(namespace, "a", "10.1.0.1", **LABELS)
    await cluster.pod(namespace, "b", "fd00::1", **{**LABELS, MODEL: "large"})

    async with discovered(control_plane.kubeconfig(), namespace) as found:
        assert not found.source.synced
        await found.names("a", "b")

        assert found.source.synced
        assert found.addresses["b"] == "[fd00::1]:8000"


async def test_readiness_decides(cluster: Cluster, namespace: str, found: Discovered) -> None:
    """A pod whose readiness probe fails is no endpoint until it passes again."""
    await cluster.pod(namespace, "a", "10.1.0.1", **LABELS)
    await found.names("a")

    await cluster.ready(namespace, "a", "False")
    await found.names()
    assert found.counts == {Standing.UNREADY: 1}

    await cluster.ready(namespace, "a")
    await found.names("a")


async def test_pod_that_terminates_is_no_endpoint(cluster: Cluster, namespace: str, found: Discovered) -> None:
    """A pod that is being deleted gets no more requests, however long its end takes."""
    await cluster.pod(namespace, "a", "10.1.0.1", **LABELS)
    await cluster.mark(namespace, "a", finalizers=["chimera.dev/test"])
    await found.names("a")

    await cluster.delete_pod(namespace, "a")
    await found.names()
    assert found.counts == {Standing.TERMINATING: 1}

    await cluster.mark(namespace, "a", finalizers=None)


async def test_label_says_whose_a_pod_is(cluster: Cluster, namespace: str, found: Discovered) -> None:
    """A pod that leaves the pool's labels leaves its endpoints; one that changes its model serves the other one."""
    await cluster.pod(namespace, "a", "10.1.0.1", **LABELS)
    await found.names("a")

    await cluster.mark(namespace, "a", labels={"app": "debugged"})
    await found.names()
    assert found.counts == {}

    await cluster.mark(namespace, "a", labels={"app": "engines", MODEL: "large"})
    await found.names("a")
    assert [endpoint.model for endpoint in found.datastore.endpoints] == ["large"]


async def test_pods_of_no_known_model_are_left_out(cluster: Cluster, namespace: str, found: Discovered) -> None:
    """Pods that name no model, or one that the configuration does not, are counted and get nothing."""
    await cluster.pod(namespace, "a", "10.1.0.1", app="engines")
    await cluster.pod(namespace, "b", "10.1.0.2", **{**LABELS, MODEL: "unheard-of"})
    await cluster.pod(namespace, "c", "10.1.0.3", **LABELS)

    await found.names("c")

    assert found.counts == {Standing.ENDPOINT: 1, Standing.UNLABELLED: 1, Standing.UNKNOWN_MODEL: 1}


async def test_ranks_follow_ports_and_annotation(cluster: Cluster, namespace: str, found: Discovered) -> None:
    """Every port of the pool is a rank, as it changes, and the pod's annotation switches ranks on and off."""
    await cluster.pod(namespace, "a", "10.1.0.1", **LABELS)
    await found.names("a")

    await cluster.pool(namespace, 8000, 8001, 8002, app="engines")
    await found.names("a-rank-0", "a-rank-1", "a-rank-2")

    await cluster.mark(namespace, "a", annotations={"inference.networking.k8s.io/active-ports": "8000,8002"})
    await found.names("a-rank-0", "a-rank-2")
    assert found.addresses["a-rank-2"] == "10.1.0.1:8002"

    await cluster.mark(namespace, "a", annotations={"inference.networking.k8s.io/active-ports": None})
    await cluster.pool(namespace, 9000, app="engines")
    await found.names("a")
    assert found.addresses == {"a": "10.1.0.1:9000"}


async def test_selector_that_changes_finds_other_pods(cluster: Cluster, namespace: str, found: Discovered) -> None:
    """A pool that selects other pods has other endpoints, and follows those from then on."""
    await cluster.pod(namespace, "a", "10.1.0.1", **LABELS)
    await cluster.pod(namespace, "b", "10.1.0.2", **{**LABELS, "app": "better"})
    await found.names("a")

    await cluster.pool(namespace, 8000, app="better")
    await found.names("b")

    await cluster.pod(namespace, "c", "10.1.0.3", **{**LABELS, "app": "better"})
    await cluster.mark(namespace, "a", labels={"tier": "old"})
    await found.names("b", "c")


async def test_pool_that_is_deleted_has_no_endpoints(cluster: Cluster, namespace: str, found: Discovered) -> None:
    """Without its InferencePool nothing is served; made again, it is."""
    await cluster.pod(namespace, "a", "10.1.0.1", **LABELS)
    await found.names("a")

    await cluster.delete_pool(namespace)
    await found.names()

    await cluster.pool(namespace, 8000, app="engines")
    await found.names("a")


async def test_other_pools_and_namespaces_are_not_seen(cluster: Cluster, namespace: str, found: Discovered) -> None:
    """A pool of another name or place changes nothing here."""
    elsewhere = await cluster.namespace()
    await cluster.pool(namespace, 7000, name="other", app="engines")
    await cluster.pod(elsewhere, "x", "10.1.0.9", **LABELS)
    await cluster.pod(namespace, "a", "10.1.0.1", **LABELS)

    await found.names("a")

    assert found.addresses == {"a": "10.1.0.1:8000"}


async def test_models_that_change_are_looked_for(cluster: Cluster, namespace: str, found: Discovered) -> None:
    """A configuration with other models makes endpoints of other pods, once it is taken and not before."""
    await cluster.pod(namespace, "a", "10.1.0.1", **LABELS)
    await cluster.pod(namespace, "b", "10.1.0.2", **{**LABELS, MODEL: "huge"})
    await found.names("a")

    publish = await found.source.prepare(["huge"])
    assert list(found.addresses) == ["a"]
    publish()

    await found.names("b")
