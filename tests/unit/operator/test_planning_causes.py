"""Why replicas do not serve, in plain words."""

from datetime import timedelta
from typing import Any

import pytest
from pod_manifests import NOW, ago, crashed, pod, running, waiting

from chimera_operator.planning.capacity.cards import Need
from chimera_operator.planning.causes.cause import Cause, Expected, Reason
from chimera_operator.planning.causes.pods import pod_cause
from chimera_operator.planning.reading.pods import pod as read

STARTUP = timedelta(minutes=30)
FOUR_CARDS = Need(resource="nvidia.com/gpu", count=4, selector={}, tolerations=())


def cause(manifest: dict[str, Any], *events: dict[str, Any], need: Need | None = FOUR_CARDS) -> Cause | None:
    return pod_cause(read(manifest), Expected(need=need, startup=STARTUP, now=NOW), list(events))


def found(manifest: dict[str, Any], *events: dict[str, Any]) -> Cause:
    """Return the cause, which there must be."""
    cause_ = cause(manifest, *events)
    assert cause_ is not None
    return cause_


@pytest.mark.parametrize(
    "manifest",
    [
        pod(running(ready=True), ready=True),
        pod(running(60)),
        pod(waiting("ContainerCreating")),
        pod(waiting("PodInitializing"), initial=[running(60, name="fetch")]),
        pod(node="", unscheduled=""),
        pod(crashed(1), metadata={"deletionTimestamp": ago(5)}),
    ],
    ids=["serves", "loads", "is made", "initialises", "nobody has looked for a node", "was told to end"],
)
def test_nothing_is_wrong_with_a_pod_on_its_way(manifest: dict[str, Any]) -> None:
    """Neither what serves, nor what is about to, nor what somebody ends has a cause."""
    if not manifest["spec"].get("nodeName"):
        manifest["status"]["conditions"] = []
    assert cause(manifest) is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            (
                "0/5 nodes are available: 2 Insufficient nvidia.com/gpu, 3 node(s) had untolerated taint "
                "{dedicated: training}. preemption: 0/5 nodes are available: 5 No preemption victims found."
            ),
            [
                "2 nodes without 4 together nvidia.com/gpu free",
                "3 nodes have a taint that it does not bear, see tolerations: {dedicated: training}",
            ],
        ),
        (
            "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.",
            ["1 node without enough cpu, see resources.requests", "1 node without enough memory"],
        ),
        (
            "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
            ["3 nodes have no label as nodeSelector asks for"],
        ),
        (
            (
                "0/2 nodes are available: 1 node(s) were unschedulable, 1 Insufficient nvidia.com/gpu. "
                "no new claims to deallocate"
            ),
            ["1 cordoned", "1 node without 4 together nvidia.com/gpu free"],
        ),
        ("0/2 nodes are available: 2 cannot allocate all claims.", ["no node has devices for its resource claim free"]),
        ("no nodes available to schedule pods", ["the cluster has no nodes"]),
        ("0/2 nodes are available: 2 strange new reason.", ["2 strange new reason"]),
    ],
)
def test_a_pod_without_a_place_says_what_is_missing(said: str, words: list[str]) -> None:
    """Every reason of the scheduler's, with the field that answers it; one that is new in its own words."""
    reason = found(pod(node="", unscheduled=said))

    assert reason.reason is Reason.UNSCHEDULABLE
    assert reason.pod == "small-1"
    for each in words:
        assert each in reason.message
    assert "preemption" not in reason.message


def test_a_gate_is_told_from_a_lack() -> None:
    """Who holds a pod back from the scheduler, such as a queue, is not a full cluster."""
    gated = pod(node="", unscheduled="Scheduling is blocked due to non-empty scheduling gates")
    gated["status"]["conditions"][0]["reason"] = "SchedulingGated"

    assert "a scheduling gate holds it back" in found(gated).message
    assert not read(gated).searching


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('persistentvolumeclaim "weights" not found', "there is no PersistentVolumeClaim weights"),
        ("pod has unbound immediate PersistentVolumeClaims", "its PersistentVolumeClaim has no volume yet"),
        ("0/2 nodes are available: 2 node(s) had volume node affinity conflict.", "bound to nodes that cannot take it"),
    ],
)
def test_a_volume_that_is_not_there_is_named(said: str, words: str) -> None:
    """The scheduler says it, and a full cluster is not to blame."""
    reason = found(pod(node="", unscheduled=said))

    assert reason.reason is Reason.VOLUME
    assert words in reason.message


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("failed to authorize: failed to fetch anonymous token: 401 Unauthorized", "pod.imagePullSecrets"),
        ("pull access denied, repository does not exist or may require authorization", "pod.imagePullSecrets"),
        ("manifest unknown: manifest unknown", "no such image or tag"),
        ("registry.example/engine:1: not found", "no such image or tag"),
        ("toomanyrequests: You have reached your pull rate limit", "limits how often"),
        ("dial tcp: lookup registry.example: no such host", "does not reach the registry"),
        ("no match for platform in manifest", "not made for the node's processor"),
        ("write /var/lib: no space left on device", "disk is full"),
        ("something unheard of", "something unheard of"),
    ],
)
@pytest.mark.parametrize("word", ["ErrImagePull", "ImagePullBackOff"])
def test_an_image_that_cannot_be_pulled_says_why(word: str, said: str, words: str) -> None:
    """Account, name, limit or network: each has another remedy."""
    reason = found(pod(waiting(word, said)))

    assert (reason.reason, reason.container) == (Reason.IMAGE, "engine")
    assert "registry.example/engine:1" in reason.message
    assert words in reason.message


def test_an_image_that_is_no_name_or_not_to_be_pulled_says_so() -> None:
    """No registry was asked."""
    assert "no name of an image" in found(pod(waiting("InvalidImageName"))).message
    assert "imagePullPolicy is Never" in found(pod(waiting("ErrImageNeverPull"))).message


def test_an_init_container_is_told_before_those_that_wait_for_it() -> None:
    """The engine waits because the bundle could not be fetched."""
    reason = found(pod(waiting("PodInitializing"), initial=[crashed(1, "ValueError: digest", name="fetch")]))

    assert reason.container == "fetch"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('secret "hf" not found', "there is no Secret hf in the pool's namespace"),
        ('configmap "env" not found', "there is no ConfigMap env"),
        ("couldn't find key token in Secret default/hf", "Secret hf has no key token"),
        ("couldn't find key a.b in ConfigMap default/env", "ConfigMap env has no key a.b"),
        ("unheard of", "something that the pod refers to is missing: unheard of"),
    ],
)
def test_a_missing_secret_is_named(said: str, words: str) -> None:
    """And so is a key that it lacks."""
    reason = found(pod(waiting("CreateContainerConfigError", said)))

    assert reason.reason is Reason.REFERENCE
    assert words in reason.message


def test_a_container_that_a_node_cannot_make_says_so() -> None:
    """Such as one whose RuntimeClass the node does not have."""
    reason = found(pod(waiting("RunContainerError", "failed to create containerd task: nvidia-container-cli")))

    assert reason.reason is Reason.CONTAINER
    assert "nvidia-container-cli" in reason.message


def test_too_much_memory_names_the_limit() -> None:
    """Of the container, where it has one."""
    reason = found(pod(crashed(137, reason="OOMKilled")))

    assert (reason.reason, reason.exit_code) == (Reason.MEMORY, 137)
    assert "its limit of 16Gi: raise resources.limits.memory" in reason.message


def test_a_replica_that_was_too_slow_names_the_field() -> None:
    """Kubelets end what does not pass its startup probe in time: by signal, or the engine drains and returns 0."""
    for exit_code in (0, 137, 143):
        reason = found(pod(crashed(exit_code, ran=1795)))
        assert reason.reason is Reason.STARTUP
        assert "engine.startupSeconds, 1800 s" in reason.message


def test_a_replica_that_is_too_slow_right_now_names_it_too() -> None:
    """Before the kubelet has acted."""
    assert found(pod(running(1801))).reason is Reason.STARTUP
    assert cause(pod(running(1799))) is None


def test_a_signal_after_a_short_life_is_a_crash() -> None:
    """137 after half a minute is no startup probe's doing."""
    assert found(pod(crashed(137))).reason is Reason.CRASH


def test_a_crash_tells_its_exit_code_and_last_words() -> None:
    """And how often; where it left none, where to look."""
    reason = found(pod(crashed(1, "INFO loading\nRuntimeError: odd shape\n", restarts=4)))
    silent = found(pod(crashed(2, restarts=0)))

    assert (reason.reason, reason.exit_code) == (Reason.CRASH, 1)
    assert reason.message == "it ends with exit code 1, 4 times so far: RuntimeError: odd shape"
    assert silent.message == "it ends with exit code 2; its log says why"


def test_an_engine_that_ends_in_peace_again_and_again_is_in_a_loop_too() -> None:
    """Exit code 0 once is an end, twice is a loop."""
    assert cause(pod(crashed(0, restarts=1))) is None
    assert found(pod(crashed(0, restarts=2))).reason is Reason.CRASH


def test_a_restart_that_still_loads_keeps_its_cause() -> None:
    """It is gone when the replica serves, not when it tries again."""
    before = {"terminated": {"exitCode": 1, "reason": "Error", "message": "ValueError: no"}}

    assert found(pod(running(20, lastState=before, restartCount=1))).reason is Reason.CRASH
    assert cause(pod(running(20, ready=True, lastState=before, restartCount=1), ready=True)) is None


def test_a_replica_that_no_longer_answers_is_told_from_one_that_has_not_yet() -> None:
    """It was ready after it began to run."""
    assert found(pod(running(600, started=True), ready_since=ago(30))).reason is Reason.UNHEALTHY
    assert cause(pod(running(60, started=True), ready_since=ago(600))) is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}, Reason.EVICTED),
        ({"phase": "Failed", "reason": "NodeShutdown"}, Reason.NODE_LOST),
        ({"phase": "Failed", "reason": "UnexpectedAdmissionError"}, Reason.ACCELERATOR),
        ({"phase": "Failed", "reason": "Preempting"}, Reason.PREEMPTED),
    ],
)
def test_a_pod_that_failed_as_a_whole_says_how(fields: dict[str, Any], reason: Reason) -> None:
    """Its containers cannot."""
    assert found(pod(running(), **fields)).reason is reason


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("PreemptionByScheduler", Reason.PREEMPTED),
        ("DeletionByTaintManager", Reason.NODE_LOST),
        ("TerminationByKubelet", Reason.EVICTED),
    ],
)
def test_a_pod_that_is_taken_away_says_by_whom(word: str, reason: Reason) -> None:
    """Unless somebody asked for it, as a drain does."""
    condition = {"type": "DisruptionTarget", "status": "True", "reason": word}
    drained = {**condition, "reason": "EvictionByEvictionAPI"}
    ending = {"deletionTimestamp": ago(5)}

    assert found(pod(running(), conditions=[condition], metadata=ending)).reason is reason
    assert cause(pod(running(), conditions=[drained], metadata=ending)) is None


MOUNT = {
    "reason": "FailedMount",
    "regarding": {"name": "small-1"},
    "note": 'MountVolume.SetUp failed: secret "tls" not found',
}


@pytest.mark.parametrize("event", [MOUNT, {"reason": "FailedMount", "message": MOUNT["note"]}])
def test_a_volume_that_cannot_be_mounted_is_told_by_its_event(event: dict[str, Any]) -> None:
    """Pods themselves do not say; Events of either API do."""
    reason = found(pod(waiting("ContainerCreating")), event)

    assert reason.reason is Reason.VOLUME
    assert 'secret "tls" not found' in reason.message


def test_an_old_event_about_a_volume_is_forgotten_once_containers_run() -> None:
    """Events stay for an hour."""
    assert cause(pod(running()), MOUNT) is None
    assert cause(pod(waiting("ContainerCreating")), {"reason": "Scheduled", "note": "x"}) is None


def test_a_cause_has_the_time_at_which_it_began() -> None:
    """As far as objects tell."""
    assert found(pod(crashed(1))).at == NOW - timedelta(seconds=30)
    assert found(pod(node="", unscheduled="x")).at == NOW - timedelta(seconds=300)
