"""Why a pod does not serve."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from chimera_operator.planning.causes.cause import Cause, Expected, Reason
from chimera_operator.planning.causes.containers import container_cause
from chimera_operator.planning.causes.scheduling import scheduling_cause
from chimera_operator.planning.causes.texts import clean
from chimera_operator.planning.reading.objects import part
from chimera_operator.planning.reading.pods import Pod
from chimera_operator.rendering.manifest import Manifest

_WHOLE = {
    "Evicted": (Reason.EVICTED, "its node took it away for want of memory or disk"),
    "Preempting": (Reason.PREEMPTED, "a pod of higher priority took its place"),
    "Preempted": (Reason.PREEMPTED, "a pod of higher priority took its place"),
    "NodeLost": (Reason.NODE_LOST, "its node does not answer"),
    "NodeShutdown": (Reason.NODE_LOST, "its node was shut down"),
    "Terminated": (Reason.NODE_LOST, "its node was shut down"),
    "Shutdown": (Reason.NODE_LOST, "its node was shut down"),
    "UnexpectedAdmissionError": (Reason.ACCELERATOR, "its node had no device left for it"),
    "NodeAffinity": (Reason.UNSCHEDULABLE, "its node's labels have changed"),
}
"""Kubernetes' words for pods that failed as a whole."""

_DISRUPTED = {
    "PreemptionByScheduler": (Reason.PREEMPTED, "a pod of higher priority takes its place"),
    "DeletionByTaintManager": (Reason.NODE_LOST, "its node does not answer, or got a taint that it does not bear"),
    "DeletionByPodGC": (Reason.NODE_LOST, "its node is gone"),
    "TerminationByKubelet": (Reason.EVICTED, "its node takes it away"),
}
"""Kubernetes' words for pods that are about to be taken away, as far as nobody asked for it."""

MOUNTING = frozenset({"FailedMount", "FailedAttachVolume"})
"""Reasons of Events about volumes; pods themselves do not say."""


def pod_cause(pod: Pod, expected: Expected, events: Sequence[Manifest] = ()) -> Cause | None:
    """Return why a pod does not serve, or None where it does, is about to, or was told to end.

    Args:
        pod: The pod.
        expected: What it was expected to be.
        events: Warnings about it, the oldest first.
    """
    if pod.serving or (pod.ending and not pod.disrupted):
        return None
    found = (
        _whole(pod)
        or scheduling_cause(pod, expected.need)
        or next(_of_containers(pod, expected), None)
        or _mounting(pod, events)
    )
    return found and replace(found, pod=pod.name)


def about(events: Iterable[Manifest], name: str) -> Iterator[Manifest]:
    """Yield the Events about an object, of either API that has them."""
    return (event for event in events if _regarding(event).get("name") == name)


def _regarding(event: Manifest) -> Mapping[str, Any]:
    return part(event, "regarding") or part(event, "involvedObject")


def _whole(pod: Pod) -> Cause | None:
    words = _DISRUPTED.get(pod.disrupted) or _WHOLE.get(pod.reason)
    if words is None:
        return None
    reason, message = words
    said = clean(pod.message)
    return Cause(reason=reason, message=f"{message}: {said}" if said else message, at=pod.ready_since)


def _of_containers(pod: Pod, expected: Expected) -> Iterator[Cause]:
    """Yield what its containers say, the init containers first: the others wait for them."""
    for container in (*pod.initial, *pod.containers):
        if found := container_cause(container, expected, unready_since=pod.ready_since):
            yield found


def _mounting(pod: Pod, events: Sequence[Manifest]) -> Cause | None:
    """Return what its newest Event about volumes says, as long as no container runs."""
    if any(each.running or each.ended or each.before for each in (*pod.initial, *pod.containers)):
        return None
    event = next((each for each in reversed(events) if each.get("reason") in MOUNTING), None)
    if event is None:
        return None
    said = clean(event.get("note") or event.get("message", ""))
    return Cause(reason=Reason.VOLUME, message=f"a volume cannot be mounted: {said}")
