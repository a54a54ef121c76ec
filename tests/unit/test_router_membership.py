"""Which endpoints an InferencePool and its pods make."""

from typing import Any

import msgspec
import pytest
from kubernetes_objects import MODEL, pod, pool

from chimera_router.datalayer.membership import ACTIVE_PORTS, Membership, Standing, members
from chimera_router.datalayer.objects import InferencePool, Pod
from chimera_router.scheduling.types import Endpoint

LEGACY, CURRENT = ACTIVE_PORTS[1], ACTIVE_PORTS[0]


def found(
    *pods: dict[str, Any], ports: tuple[int, ...] = (8000,), models: tuple[str, ...] = ("small", "large")
) -> Membership:
    objects = [msgspec.convert(each, Pod) for each in pods]
    return members(msgspec.convert(pool(*ports), InferencePool), objects, models)


def addresses(membership: Membership) -> dict[str, str]:
    return {endpoint.name: endpoint.address for endpoint in membership.endpoints}


def only(membership: Membership) -> Standing:
    """Return what became of the one port of the one pod."""
    (standing,) = [standing for standing, count in membership.counts.items() if count]
    return standing


def test_ready_pod_is_an_endpoint_of_its_model() -> None:
    """A pod's label says which model it serves; with one port the endpoint is called like the pod."""
    expected = Endpoint(name="a", address="10.0.0.1:8000", model="small")

    assert found(pod("a")).endpoints == (expected,)


def test_every_port_is_a_rank_of_its_own() -> None:
    """Data-parallel ranks of one pod are endpoints, numbered by the pool's ports."""
    ranks = {"a-rank-0": "10.0.0.1:8000", "a-rank-1": "10.0.0.1:8001"}

    assert addresses(found(pod("a"), ports=(8000, 8001))) == ranks


def test_ipv6_is_in_brackets() -> None:
    """An IPv6 address and its port can be told apart."""
    assert addresses(found(pod("a", "fd00::7"))) == {"a": "[fd00::7]:8000"}


@pytest.mark.parametrize(
    ("made", "standing"),
    [
        pytest.param(pod("a", ready="False"), Standing.UNREADY, id="its probe fails"),
        pytest.param(pod("a", ready="Unknown"), Standing.UNREADY, id="its node is silent"),
        pytest.param(pod("a", ""), Standing.UNREADY, id="it has no address yet"),
        pytest.param({"metadata": pod("a")["metadata"]}, Standing.UNREADY, id="it has no status yet"),
        pytest.param(
            pod("a", deletionTimestamp="2026-01-01T00:00:00Z"), Standing.TERMINATING, id="it is being deleted"
        ),
        pytest.param(pod("a", labels={"app": "engines"}), Standing.UNLABELLED, id="it names no model"),
        pytest.param(
            pod("a", labels={"app": "engines", MODEL: "x"}), Standing.UNKNOWN_MODEL, id="no model of the pool"
        ),
        pytest.param(pod("a", annotations={LEGACY: "9000"}), Standing.INACTIVE, id="none of its ports is active"),
    ],
)
def test_pod_that_cannot_serve_is_counted_only(made: dict[str, Any], standing: Standing) -> None:
    """A pod that is not ready, going, of no known model or switched off is no endpoint, and says why."""
    membership = found(made)

    assert (membership.endpoints, only(membership)) == ((), standing)


def test_stranger_is_not_even_counted() -> None:
    """Pods that the selector leaves out are none of the pool's business."""
    membership = found(pod("a", labels={"app": "web", MODEL: "small"}))

    assert (membership.endpoints, sum(membership.counts.values())) == ((), 0)


def test_pool_of_one_model_needs_no_label() -> None:
    """Where there is only one model, pods that name none are its own; pods that name another one are not."""
    unlabelled, other = pod("a", labels={"app": "engines"}), pod("b", labels={"app": "engines", MODEL: "large"})

    membership = found(unlabelled, other, models=("small",))

    assert [(endpoint.name, endpoint.model) for endpoint in membership.endpoints] == [("a", "small")]
    assert membership.counts[Standing.UNKNOWN_MODEL] == 1


@pytest.mark.parametrize(
    ("annotations", "active"),
    [
        pytest.param({}, (0, 1, 2), id="no annotation: all"),
        pytest.param({LEGACY: ""}, (), id="empty: none"),
        pytest.param({LEGACY: "8001"}, (1,), id="one"),
        pytest.param({LEGACY: "8000, 8002 "}, (0, 2), id="spaces"),
        pytest.param({LEGACY: "8000,word,-1,8001x,9000"}, (0,), id="what is no port of the pool counts for nothing"),
        pytest.param({LEGACY: "8000,8000"}, (0,), id="twice"),
        pytest.param({CURRENT: "8002"}, (2,), id="llm-d's own key"),
        pytest.param({CURRENT: "8002", LEGACY: "8000"}, (2,), id="which goes first"),
    ],
)
def test_annotation_says_which_ports_are_active(annotations: dict[str, str], active: tuple[int, ...]) -> None:
    """A pod may serve some of the pool's ports only; ranks keep their numbers."""
    membership = found(pod("a", annotations=annotations), ports=(8000, 8001, 8002))

    assert list(addresses(membership)) == [f"a-rank-{rank}" for rank in active]
    assert membership.counts[Standing.INACTIVE] == 3 - len(active)
