"""How Kubernetes' objects are read."""

from datetime import timedelta
from typing import Any

import pytest
from pod_manifests import NOW, ago, crashed, pod, running

from chimera_operator.planning.causes.cause import Reason
from chimera_operator.planning.causes.creation import creation_cause
from chimera_operator.planning.reading.deployments import deployment, with_replicas
from chimera_operator.planning.reading.objects import condition, items, moment, part
from chimera_operator.planning.reading.pods import pod as read


def manifest(**fields: Any) -> dict[str, Any]:
    """Return a Deployment of three replicas, all of them there."""
    counts = {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, "observedGeneration": 4}
    labels = {"chimera.dev/model": "small", "chimera.dev/revision": "r1", "chimera.dev/accelerator": "nvidia-h100"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "default", "generation": 4, "uid": "7", "labels": {"a": "b"}},
        "spec": {
            "replicas": 3,
            "strategy": fields.pop("strategy", {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}),
            "template": {"metadata": {"labels": labels}, "spec": {"containers": []}},
        },
        "status": {**counts, "conditions": fields.pop("conditions", []), **fields},
    }


def test_what_is_missing_reads_as_empty() -> None:
    """Objects of the API server leave out what is empty, and say null where somebody asked for it."""
    assert part({}, "status", "x") == {}
    assert part({"status": None}, "status", "x") == {}
    assert items({"a": {"b": None}}, "a", "b") == []
    assert condition([{"type": "A"}], "B") == {}
    assert moment(None) is None
    assert moment(ago(0)) == NOW


def test_a_pod_tells_whose_it_is_and_where() -> None:
    """Its Deployment by the ReplicaSet that made it."""
    found = read(pod(running(ready=True), ready=True))

    assert (found.model, found.revision, found.deployment, found.node) == ("small", "r1", "pool-small-abc", "node-1")
    assert (found.active, found.placed, found.serving, found.searching) == (True, True, True, False)
    assert found.created == NOW - timedelta(seconds=600)


def test_a_pod_that_ends_is_no_replica() -> None:
    """Whether it was told to, or has."""
    ending = read(pod(running(ready=True), ready=True, metadata={"deletionTimestamp": ago(1)}))
    failed = read(pod(running(), phase="Failed"))

    assert (ending.active, ending.serving) == (False, False)
    assert (failed.active, failed.placed) == (False, False)


def test_a_pod_that_searches_is_one_that_the_scheduler_has_refused() -> None:
    """Not one that it has yet to look at."""
    fresh = pod(node="")
    fresh["status"]["conditions"] = []

    assert read(pod(node="", unscheduled="0/1 nodes are available")).searching
    assert not read(fresh).searching


def test_a_container_tells_its_last_failure() -> None:
    """How it ended now, or the last time before."""
    (container,) = read(pod(crashed(3, "why"))).containers

    assert (container.waiting, container.restarts, container.memory) == ("CrashLoopBackOff", 3, "16Gi")
    assert container.before
    assert (container.before.exit_code, container.before.message) == (3, "why")


def test_a_bare_pod_is_read() -> None:
    """One that was just made has no status at all."""
    found = read({"metadata": {"name": "p"}})

    assert (found.name, found.model, found.deployment, found.active, found.serving) == ("p", "", "", True, False)


def test_a_deployment_tells_what_it_was_told() -> None:
    """Replicas, revision, kind of card and way of replacing."""
    found = deployment(manifest())

    assert (found.name, found.model, found.revision, found.accelerator) == ("d", "small", "r1", "nvidia-h100")
    assert (found.replicas, found.strategy) == (3, "Surge")


@pytest.mark.parametrize(
    ("strategy", "way"),
    [
        ({"type": "Recreate"}, "Recreate"),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}, "InPlace"),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "0%", "maxUnavailable": 1}}, "InPlace"),
        ({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}, "Surge"),
        ({}, "Surge"),
    ],
)
def test_a_deployments_way_is_read_from_its_strategy(strategy: dict[str, Any], way: str) -> None:
    """As numbers, shares or defaults."""
    assert deployment(manifest(strategy=strategy)).strategy == way


FINISHED = [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]
LATE = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]


@pytest.mark.parametrize(
    ("fields", "settled"),
    [
        ({}, True),
        ({"observedGeneration": 3}, False),
        ({"updatedReplicas": 1}, False),
        ({"replicas": 4}, False),
        ({"availableReplicas": 2}, False),
        ({"availableReplicas": 2, "conditions": FINISHED}, True),
        ({"updatedReplicas": 1, "conditions": FINISHED}, False),
        ({"observedGeneration": 3, "conditions": FINISHED}, False),
    ],
    ids=["all there", "not looked at", "old ones", "one more", "one missing", "one lost later", "rolling", "told anew"],
)
def test_a_rollout_is_over_when_nothing_old_is_left(fields: dict[str, Any], *, settled: bool) -> None:
    """A replica that is lost later does not begin it again."""
    assert deployment(manifest(**fields)).settled is settled


def test_a_stall_is_of_what_was_told_last() -> None:
    """What Kubernetes says of the revision before is no news of this one."""
    assert deployment(manifest(conditions=LATE)).stalled
    assert not deployment(manifest(conditions=LATE, observedGeneration=3)).stalled


def test_another_number_of_replicas_leaves_the_rest_alone() -> None:
    """Nothing of the server's own goes back to it."""
    live = manifest()

    found = with_replicas(live, 1)

    assert found["spec"] == {**live["spec"], "replicas": 1}
    assert found["metadata"] == {"name": "d", "namespace": "default", "labels": {"a": "b"}}
    assert "status" not in found
    assert live["spec"]["replicas"] == 3


@pytest.mark.parametrize(
    ("said", "reason", "words"),
    [
        (
            (
                'pods "d-1" is forbidden: exceeded quota: team, requested: requests.nvidia.com/gpu=1, '
                "used: requests.nvidia.com/gpu=8, limited: requests.nvidia.com/gpu=8"
            ),
            Reason.QUOTA,
            "quota team of the namespace is used up: requested: requests.nvidia.com/gpu=1, used",
        ),
        ('pods "d-1" is forbidden: failed quota: team: must specify limits.memory', Reason.QUOTA, "must specify"),
        (
            'pods "d-1" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot',
            Reason.FORBIDDEN,
            'violates PodSecurity "restricted:latest"',
        ),
        ('admission webhook "x" denied the request: no', Reason.FORBIDDEN, "denied the request: no"),
    ],
)
def test_pods_that_the_api_server_refuses_say_why(said: str, reason: Reason, words: str) -> None:
    """There is no pod that could: its Deployment tells."""
    failure = [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": said}]

    found = creation_cause(deployment(manifest(conditions=failure)))

    assert found is not None
    assert found.reason is reason
    assert words in found.message
    assert "d-1" not in found.message
    assert creation_cause(deployment(manifest())) is None
