"""Pods and their containers, as far as planning looks at them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chimera_operator.api.names import MODEL_LABEL, REVISION_LABEL
from chimera_operator.planning.reading.nodes import ENDED
from chimera_operator.planning.reading.objects import condition, items, labels_of, moment, name_of, part
from chimera_operator.rendering.manifest import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a container ended.

    Attributes:
        reason: Kubernetes' word, such as OOMKilled or Error.
        exit_code: What it returned.
        message: What it left as its last words: of a container that falls back to its log, the log's end.
        began: When it had started.
        at: When it ended.
    """

    reason: str
    exit_code: int
    message: str
    began: datetime | None
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container and its state.

    Attributes:
        name: Its name.
        image: Its image.
        memory: Its limit of memory, as it was written; empty where it has none.
        waiting: Why it does not run yet, in Kubernetes' word; empty where it runs or has ended.
        message: What Kubernetes says about that.
        running: Since when it runs.
        started: Whether its startup probe has passed.
        ready: Whether it is ready.
        restarts: How often it was started again.
        ended: How it ended, where it is at its end.
        before: How it ended the last time before.
    """

    name: str
    image: str = ""
    memory: str = ""
    waiting: str = ""
    message: str = ""
    running: datetime | None = None
    started: bool = False
    ready: bool = False
    restarts: int = 0
    ended: Ended | None = None
    before: Ended | None = None

    @property
    def failed(self) -> Ended | None:
        """How it failed last, if it did."""
        return next((each for each in (self.ended, self.before) if each and each.exit_code), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A pod of the pool.

    Attributes:
        name: Its name.
        model: The model that it serves; empty for a picker's.
        deployment: The Deployment that it is of; empty where none made it.
        revision: The revision that it has.
        node: Where it is; empty while it has no place.
        created: When it was made.
        ending: Whether it was told to end.
        phase: Kubernetes' word for where in its life it is.
        reason: Why it failed as a whole, in Kubernetes' word, such as Evicted.
        message: What Kubernetes says about that.
        unscheduled: What keeps it from a node, in the scheduler's words; empty where nothing does.
        gated: Whether somebody holds it back from the scheduler.
        scheduled: When its scheduling was last decided: since when it has a node, or none.
        ready: Whether it serves.
        ready_since: When that last changed.
        disrupted: Why it is about to be taken away, in Kubernetes' word; empty where it is not.
        containers: Its containers.
        initial: Its init containers.
    """

    name: str
    model: str = ""
    deployment: str = ""
    revision: str = ""
    node: str = ""
    created: datetime | None = None
    ending: bool = False
    phase: str = ""
    reason: str = ""
    message: str = ""
    unscheduled: str = ""
    gated: bool = False
    scheduled: datetime | None = None
    ready: bool = False
    ready_since: datetime | None = None
    disrupted: str = ""
    containers: tuple[Container, ...] = ()
    initial: tuple[Container, ...] = ()

    @property
    def active(self) -> bool:
        """Whether it counts as a replica: it has no end, and nobody has told it to end."""
        return not self.ending and self.phase not in ENDED

    @property
    def placed(self) -> bool:
        """Whether it is an active one with a node."""
        return self.active and bool(self.node)

    @property
    def searching(self) -> bool:
        """Whether it is an active one that finds no node."""
        return self.active and not self.node and bool(self.unscheduled) and not self.gated

    @property
    def serving(self) -> bool:
        """Whether it is an active one that is ready."""
        return self.active and self.ready


def pod(manifest: Manifest) -> Pod:
    """Return the pod of an object."""
    labels, status = labels_of(manifest), part(manifest, "status")
    found = items(status, "conditions")
    scheduled, ready = condition(found, "PodScheduled"), condition(found, "Ready")
    disrupted = condition(found, "DisruptionTarget")
    waits = scheduled.get("status") == "False"
    return Pod(
        name=name_of(manifest),
        model=labels.get(MODEL_LABEL, ""),
        deployment=_deployment(manifest),
        revision=labels.get(REVISION_LABEL, ""),
        node=part(manifest, "spec").get("nodeName") or "",
        created=moment(part(manifest, "metadata").get("creationTimestamp")),
        ending="deletionTimestamp" in part(manifest, "metadata"),
        phase=status.get("phase", ""),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        unscheduled=scheduled.get("message") or scheduled.get("reason", "") if waits else "",
        gated=waits and scheduled.get("reason") == "SchedulingGated",
        scheduled=moment(scheduled.get("lastTransitionTime")),
        ready=ready.get("status") == "True",
        ready_since=moment(ready.get("lastTransitionTime")),
        disrupted=disrupted.get("reason", "") if disrupted.get("status") == "True" else "",
        containers=_containers(manifest, "containers", "containerStatuses"),
        initial=_containers(manifest, "initContainers", "initContainerStatuses"),
    )


def _deployment(manifest: Manifest) -> str:
    """Return the Deployment of a pod: that whose ReplicaSet made it, which is called `<deployment>-<hash>`."""
    owner = next((each for each in items(manifest, "metadata", "ownerReferences") if each.get("controller")), {})
    return str(owner.get("name", "")).rpartition("-")[0]


def _containers(manifest: Manifest, specs: str, statuses: str) -> tuple[Container, ...]:
    known = {status["name"]: status for status in items(manifest, "status", statuses)}
    return tuple(_container(spec, known.get(spec["name"], {})) for spec in items(manifest, "spec", specs))


def _container(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Container:
    waiting = part(status, "state", "waiting")
    return Container(
        name=spec["name"],
        image=spec.get("image", ""),
        memory=str(part(spec, "resources", "limits").get("memory", "")),
        waiting=waiting.get("reason", ""),
        message=waiting.get("message", ""),
        running=moment(part(status, "state", "running").get("startedAt")),
        started=bool(status.get("started")),
        ready=bool(status.get("ready")),
        restarts=int(status.get("restartCount", 0)),
        ended=_ended(part(status, "state", "terminated")),
        before=_ended(part(status, "lastState", "terminated")),
    )


def _ended(state: Mapping[str, Any]) -> Ended | None:
    if not state:
        return None
    return Ended(
        reason=state.get("reason", ""),
        exit_code=int(state.get("exitCode", 0)),
        message=state.get("message", ""),
        began=moment(state.get("startedAt")),
        at=moment(state.get("finishedAt")),
    )
