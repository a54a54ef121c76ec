"""Pods that find no node, from the scheduler's words.

They are such as `0/5 nodes are available: 2 Insufficient nvidia.com/gpu, 3 node(s) had untolerated taint {gpu: yes}.
preemption: ...`.
"""

import re
from collections.abc import Iterator

from chimera_operator.planning.capacity.cards import Need
from chimera_operator.planning.causes.cause import Cause, Reason
from chimera_operator.planning.causes.texts import clean
from chimera_operator.planning.reading.pods import Pod

_VOLUMES = r"PersistentVolumeClaim|persistentvolumeclaim|volume node affinity|available persistent volumes"


def scheduling_cause(pod: Pod, need: Need | None) -> Cause | None:
    """Return why a pod finds no node, or None where it has one or nobody has looked yet.

    Args:
        pod: The pod.
        need: What accelerators it needs; None: none.
    """
    if pod.node or not pod.unscheduled:
        return None
    if re.search(_VOLUMES, pod.unscheduled):
        return Cause(reason=Reason.VOLUME, message=_volume(pod.unscheduled), pod=pod.name, at=pod.scheduled)
    whole = f"no node takes it: {'; '.join(_reasons(pod, need)) or clean(pod.unscheduled)}"
    return Cause(reason=Reason.UNSCHEDULABLE, message=whole, pod=pod.name, at=pod.scheduled)


def _volume(text: str) -> str:
    if missing := re.search(r'persistentvolumeclaim "([\w.-]+)" not found', text):
        return f"there is no PersistentVolumeClaim {missing[1]}"
    if "unbound" in text or "persistent volumes" in text:
        return "its PersistentVolumeClaim has no volume yet: see the claim's events, and storageClassName under cache"
    return f"its volume is bound to nodes that cannot take it: {clean(_without_preemption(text))}"


def _reasons(pod: Pod, need: Need | None) -> Iterator[str]:
    """Yield what keeps a pod from the nodes, each with what helps."""
    if pod.gated:
        yield "a scheduling gate holds it back"
    text = _without_preemption(pod.unscheduled)
    for count, resource in re.findall(r"(\d+) Insufficient ([\w./-]*\w)", text):
        yield _insufficient(int(count), resource, need)
    for count, taint in re.findall(r"(\d+) node\(s\) had untolerated taint(?:\(s\))? ?(\{[^}]*\})?", text):
        yield f"{_nodes(count)} a taint that it does not bear, see tolerations: {clean(taint)}"
    if found := re.search(r"(\d+) node\(s\) didn't match Pod's node affinity/selector", text):
        yield f"{_nodes(found[1])} no label as nodeSelector asks for"
    if found := re.search(r"(\d+) node\(s\) were unschedulable", text):
        yield f"{found[1]} cordoned"
    if re.search(r"cannot allocate all claims|resourceclaim", text, re.IGNORECASE):
        yield "no node has devices for its resource claim free"
    if "no nodes available" in text:
        yield "the cluster has no nodes"


def _without_preemption(text: str) -> str:
    """Return the text without what preemption would do, which says everything twice."""
    return text.partition(" preemption:")[0]


def _nodes(count: str) -> str:
    return f"{count} node{'s have' if count != '1' else ' has'}"


def _insufficient(count: int, resource: str, need: Need | None) -> str:
    nodes = f"{count} node{'s' * (count != 1)}"
    if need and resource == need.resource:
        together = f"{need.count} " if need.count == 1 else f"{need.count} together "
        return f"{nodes} without {together}{resource} free"
    helps = ", see resources.requests" if resource in {"cpu", "memory", "ephemeral-storage"} else ""
    return f"{nodes} without enough {resource}{helps}"
