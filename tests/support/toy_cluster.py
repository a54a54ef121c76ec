"""A toy of Kubernetes in virtual time: it has no API server and no container, and only models what planning looks at.

Deployments and their ReplicaSets follow kube-controller-manager's rolling update (new ones up to the surge, unhealthy
old ones first, then healthy ones down to what must be available), the scheduler counts extended resources, labels and
taints, and kubelets take their time to load, or fail as they are told. `tests/controlplane` has the real ones.
"""

import json
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from chimera_operator.planning.observed import Demand, Observed
from chimera_operator.planning.reading.nodes import nodes
from chimera_operator.planning.result import Plan
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.kinds import OPTIONAL
from chimera_operator.rendering.manifest import Manifest, ObjectKey, key_of

CARD = "nvidia.com/gpu"

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)

FACTS = Facts(
    apis=frozenset(map(str, OPTIONAL)),
    version=(1, 36),
    controllers={},
    picker_image="chimera/router:test",
    simulator_image="chimera/simulator:test",
    operator_namespace="chimera-system",
    operator_labels={"app.kubernetes.io/name": "chimera-operator"},
)


def written(at: datetime) -> str:
    """Return a time as the API server writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class ToyPod:
    """A pod: who made it, where it is, how far it is."""

    name: str
    replica_set: str
    template: Manifest
    created: datetime
    node: str = ""
    unschedulable: str = ""
    scheduled: datetime | None = None
    ready_at: datetime | None = None
    ending: datetime | None = None
    failing: bool = False
    restarts: int = 0

    @property
    def labels(self) -> dict[str, str]:
        return self.template["metadata"]["labels"]

    @property
    def ready(self) -> bool:
        return self.ready_at is not None and not self.failing

    @property
    def active(self) -> bool:
        return self.ending is None


@dataclass(slots=True)
class ToyReplicaSet:
    """A ReplicaSet: one template of a Deployment."""

    name: str
    deployment: str
    template: Manifest
    replicas: int
    told: int
    """Replicas that its Deployment had when this was last scaled."""


@dataclass(slots=True)
class ToyCluster:
    """The cluster.

    Attributes:
        cards: Cards of each node, and its labels.
        load: Seconds from a pod's place to its readiness.
        drain: Seconds from a pod's deletion to its end.
        broken: Pods that fail, by their name or a label's value, such as a revision.
        lost: Nodes that are away.
        shunned: Nodes that the scheduler passes by for reasons that no node tells.
        taken: Cards that somebody else takes, by node.
    """

    cards: dict[str, tuple[int, dict[str, str]]]
    load: float = 60.0
    drain: float = 20.0
    now: datetime = BEGIN
    objects: dict[ObjectKey, Manifest] = field(default_factory=dict)
    replica_sets: list[ToyReplicaSet] = field(default_factory=list)
    pods: list[ToyPod] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    shunned: set[str] = field(default_factory=set)
    taken: Counter[str] = field(default_factory=Counter)
    demand: dict[str, Demand] | None = None
    writes: int = 0
    made: int = 0

    # What the operator sees and does.

    def observed(self) -> Observed:
        """Return one look."""
        pods = tuple(self._pod_manifest(pod) for pod in self.pods)
        others = (self._stranger(node, count) for node, count in self.taken.items() if count)
        return Observed(
            objects=dict(self.objects),
            pods=pods,
            nodes=nodes(self._node_manifests(), [*pods, *others]),
            demand=self.demand,
            facts=FACTS,
        )

    def state(self) -> Hashable:
        """Return what an operator that watches would be told a change of; what is asked of models it would not."""
        pods = ((each.name, each.node, each.ready, each.failing, each.ending, each.unschedulable) for each in self.pods)
        objects = ((key, each["metadata"]["generation"], str(each["status"])) for key, each in self.objects.items())
        nodes = (str(self.cards), str(sorted(self.taken.items())), tuple(sorted(self.lost)))
        return tuple(pods), tuple(objects), nodes

    def apply(self, plan: Plan) -> None:
        """Write what a plan says, as the operator's shell does."""
        wanted = {key_of(manifest): manifest for manifest in plan.objects}
        for key, manifest in wanted.items():
            if key not in plan.untouched:
                self._write(key, manifest)
        for key in set(self.objects) - set(wanted):
            self._delete(key)

    def _write(self, key: ObjectKey, manifest: Manifest) -> None:
        live = self.objects.get(key)
        told = json.loads(json.dumps({part: manifest[part] for part in manifest if part != "status"}))
        if live is None:
            told["metadata"]["generation"] = 1
            self.objects[key] = {**told, "status": {}}
        else:
            kept = live.get("spec", {}).get("replicas") if key.kind == "PooledModel" else None
            if kept is not None and "replicas" not in told["spec"]:
                told["spec"]["replicas"] = kept
            if all(live.get(part) == told[part] for part in told if part != "metadata"):
                return
            told["metadata"]["generation"] = live["metadata"]["generation"] + 1
            self.objects[key] = {**told, "status": live["status"]}
        self.writes += 1

    def _delete(self, key: ObjectKey) -> None:
        del self.objects[key]
        self.writes += 1
        if key.kind == "Deployment":
            gone = {each.name for each in self.replica_sets if each.deployment == key.name}
            self.replica_sets = [each for each in self.replica_sets if each.name not in gone]
            for pod in self.pods:
                if pod.replica_set in gone:
                    self._end(pod)

    def scale(self, kind: str, replicas: int) -> None:
        """Set the replicas of all objects of a kind, as an autoscaler or a person does."""
        for key, manifest in self.objects.items():
            if key.kind == kind:
                manifest["spec"]["replicas"] = replicas
                manifest["metadata"]["generation"] += 1

    # Time.

    def step(self, seconds: float) -> None:
        """Let some time pass."""
        self.now += timedelta(seconds=seconds)
        self.pods = [pod for pod in self.pods if not (pod.ending and pod.ending <= self.now)]
        for _ in range(3):  # as controllers wake one another
            for manifest in list(self.deployments()):
                self._roll(manifest)
            for replica_set in self.replica_sets:
                self._fill(replica_set)
            self._schedule()
            self._run()
            for manifest in self.deployments():
                self._tell(manifest)

    def deployments(self) -> Iterator[Manifest]:
        return (manifest for key, manifest in self.objects.items() if key.kind == "Deployment")

    def serving(self, model: str) -> int:
        """Return the replicas of a model that serve."""
        return sum(pod.ready and pod.active and pod.labels.get("chimera.dev/model") == model for pod in self.pods)

    # kube-controller-manager: Deployments.

    def _roll(self, manifest: Manifest) -> None:
        spec, name = manifest["spec"], manifest["metadata"]["name"]
        own = [each for each in self.replica_sets if each.deployment == name]
        new = next((each for each in own if each.template == spec["template"]), None)
        if new is None:
            self.made += 1
            new = ToyReplicaSet(f"{name}-{self.made:05}", name, spec["template"], 0, spec["replicas"])
            self.replica_sets.append(new)
        old = [each for each in own if each is not new]
        if spec["strategy"]["type"] == "Recreate":
            self._recreate(spec["replicas"], new, old)
        else:
            self._scale(spec, new, old)
            self._surge(spec, new, old)
            self._shrink(spec, new, old)

    def _recreate(self, replicas: int, new: ToyReplicaSet, old: list[ToyReplicaSet]) -> None:
        for each in old:
            each.replicas = 0
        if not any(pod.replica_set == each.name for each in old for pod in self.pods):
            new.replicas = replicas

    def _scale(self, spec: Manifest, new: ToyReplicaSet, old: list[ToyReplicaSet]) -> None:
        """Spread a change of the Deployment's replicas over its ReplicaSets, in proportion, the largest first."""
        active = [each for each in (new, *old) if each.replicas]
        if not any(each.told != spec["replicas"] for each in active):
            return
        if len(active) == 1:
            active[0].replicas = spec["replicas"]
        elif active:
            allowed = spec["replicas"] + spec["strategy"]["rollingUpdate"]["maxSurge"] if spec["replicas"] else 0
            change = allowed - sum(each.replicas for each in active)
            for each in sorted(active, key=lambda each: (-each.replicas, each is not new)):
                share = round(
                    each.replicas * allowed / max(1, each.told + spec["strategy"]["rollingUpdate"]["maxSurge"])
                )
                step = share - each.replicas
                step = max(step, change, -each.replicas) if change < 0 else min(max(step, 0), change)
                each.replicas += step
                change -= step
            if change:
                first = max(active, key=lambda each: each.replicas)
                first.replicas = max(0, first.replicas + change)
        for each in (new, *old):
            each.told = spec["replicas"]

    def _surge(self, spec: Manifest, new: ToyReplicaSet, old: list[ToyReplicaSet]) -> None:
        total = new.replicas + sum(each.replicas for each in old)
        most = spec["replicas"] + spec["strategy"]["rollingUpdate"]["maxSurge"]
        if new.replicas > spec["replicas"]:
            new.replicas = spec["replicas"]
        elif total < most:
            new.replicas += min(most - total, spec["replicas"] - new.replicas)

    def _shrink(self, spec: Manifest, new: ToyReplicaSet, old: list[ToyReplicaSet]) -> None:
        least = spec["replicas"] - spec["strategy"]["rollingUpdate"]["maxUnavailable"]
        total = new.replicas + sum(each.replicas for each in old)
        spare = total - least - (new.replicas - self._available(new))
        for each in old:  # unhealthy ones first
            gone = max(0, min(spare, each.replicas - self._available(each)))
            each.replicas -= gone
            spare -= gone
        spare = min(spare, self._available(new) + sum(map(self._available, old)) - least)
        for each in old:
            gone = max(0, min(spare, each.replicas))
            each.replicas -= gone
            spare -= gone

    def _available(self, replica_set: ToyReplicaSet) -> int:
        return sum(pod.ready for pod in self._of(replica_set))

    def _of(self, replica_set: ToyReplicaSet) -> list[ToyPod]:
        return [pod for pod in self.pods if pod.replica_set == replica_set.name and pod.active]

    def _tell(self, manifest: Manifest) -> None:
        spec, status, name = manifest["spec"], manifest["status"], manifest["metadata"]["name"]
        own = {each.name: each for each in self.replica_sets if each.deployment == name}
        pods = [pod for pod in self.pods if pod.replica_set in own and pod.active]
        updated = sum(pod.template == spec["template"] for pod in pods)
        available = sum(pod.ready for pod in pods)
        before = status.get("conditions", [{}])[0]
        counts = {"replicas": len(pods), "updatedReplicas": updated, "availableReplicas": available}
        finished = before.get("reason") == "NewReplicaSetAvailable" and updated == len(pods)
        if finished or set(counts.values()) == {spec["replicas"]}:
            reason, since = "NewReplicaSetAvailable", before.get("lastUpdateTime", written(self.now))
        elif (
            any(counts[each] != status.get(each, 0) for each in counts)
            or status.get("observedGeneration") != manifest["metadata"]["generation"]
        ):
            reason, since = "ReplicaSetUpdated", written(self.now)
        else:
            since = before.get("lastUpdateTime", written(self.now))
            late = (self.now - datetime.fromisoformat(since)).total_seconds() > spec.get("progressDeadlineSeconds", 600)
            reason = "ProgressDeadlineExceeded" if late else before.get("reason", "ReplicaSetUpdated")
        held = {"type": "Progressing", "status": "True", "reason": reason, "lastUpdateTime": since}
        manifest["status"] = {**counts, "observedGeneration": manifest["metadata"]["generation"], "conditions": [held]}

    def _fill(self, replica_set: ToyReplicaSet) -> None:
        pods = self._of(replica_set)
        for _ in range(replica_set.replicas - len(pods)):
            self.made += 1
            name = f"{replica_set.name}-{self.made:05}"
            self.pods.append(ToyPod(name, replica_set.name, replica_set.template, self.now))
        pods.sort(key=lambda pod: (bool(pod.node), pod.ready, -pod.created.timestamp()))
        for pod in pods[: max(0, len(pods) - replica_set.replicas)]:
            self._end(pod)

    def _end(self, pod: ToyPod) -> None:
        if pod.active:
            pod.ending = self.now + timedelta(seconds=self.drain if pod.node else 0)

    # kube-scheduler.

    def _schedule(self) -> None:
        free = self._free()
        for pod in self.pods:
            if pod.node or not pod.active:
                continue
            wanted, selector = _wanted(pod.template), pod.template["spec"].get("nodeSelector") or {}
            fit = [
                name
                for name, left in free.items()
                if left >= wanted
                and selector.items() <= self.cards[name][1].items()
                and name not in self.lost | self.shunned
            ]
            if fit:
                pod.node, pod.unschedulable, pod.scheduled = fit[0], "", self.now
                free[fit[0]] -= wanted
            elif not pod.unschedulable:
                pod.unschedulable = f"0/{len(free)} nodes are available: {len(free)} Insufficient {CARD}."
                pod.scheduled = self.now

    def _free(self) -> dict[str, int]:
        """Return the free cards by node; pods that are told to end have theirs until they are gone."""
        free = {name: count - self.taken[name] for name, (count, _) in self.cards.items()}
        for pod in self.pods:
            if pod.node in free:
                free[pod.node] -= _wanted(pod.template)
        return free

    # kubelets.

    def _run(self) -> None:
        for pod in self.pods:
            if pod.node in self.lost:
                pod.ready_at, pod.ending = None, pod.ending or self.now
            elif self.broken & {pod.name, *pod.labels.values()}:
                pod.restarts += not pod.failing
                pod.failing, pod.ready_at = True, None
            elif pod.node:
                pod.failing = False
                begun = pod.scheduled or self.now
                if pod.ready_at is None and (self.now - begun).total_seconds() >= self.load:
                    pod.ready_at = self.now

    # Objects.

    def _node_manifests(self) -> Iterator[Manifest]:
        for name, (count, labels) in self.cards.items():
            taints = [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}] if name in self.lost else []
            yield {
                "metadata": {"name": name, "labels": labels},
                "spec": {"taints": taints},
                "status": {"allocatable": {CARD: str(count), "cpu": "64"}},
            }

    def _stranger(self, node: str, count: int) -> Manifest:
        container = {"name": "x", "resources": {"limits": {CARD: str(count)}}}
        return {"metadata": {"name": f"stranger-{node}"}, "spec": {"nodeName": node, "containers": [container]}}

    def _pod_manifest(self, pod: ToyPod) -> Manifest:
        ready = pod.ready and pod.active
        scheduled: dict[str, Any] = {"type": "PodScheduled", "status": "True" if pod.node else "False"}
        if not pod.node and pod.unschedulable:
            scheduled |= {"reason": "Unschedulable", "message": pod.unschedulable}
        if pod.scheduled:
            scheduled["lastTransitionTime"] = written(pod.scheduled)
        since = pod.ready_at or pod.created
        conditions = [
            scheduled,
            {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": written(since)},
        ]
        ending = {"deletionTimestamp": written(pod.ending)} if pod.ending else {}
        owner = {"kind": "ReplicaSet", "name": pod.replica_set, "controller": True}
        containers = [self._container(pod, each["name"]) for each in pod.template["spec"]["containers"]]
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": pod.name,
                "namespace": "default",
                "labels": pod.labels,
                "creationTimestamp": written(pod.created),
                "ownerReferences": [owner],
                **ending,
            },
            "spec": {**pod.template["spec"], **({"nodeName": pod.node} if pod.node else {})},
            "status": {
                "phase": "Running" if pod.node else "Pending",
                "conditions": conditions,
                "containerStatuses": containers if pod.node else [],
            },
        }

    def _container(self, pod: ToyPod, name: str) -> Manifest:
        if pod.failing:
            ended = {
                "exitCode": 1,
                "reason": "Error",
                "message": "RuntimeError: told to fail",
                "finishedAt": written(self.now),
            }
            return {
                "name": name,
                "ready": False,
                "started": False,
                "restartCount": pod.restarts,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": ended},
            }
        began = {"running": {"startedAt": written(pod.scheduled or self.now)}}
        return {"name": name, "ready": pod.ready, "started": pod.ready, "restartCount": pod.restarts, "state": began}


def _wanted(template: Manifest) -> int:
    """Return the cards that a pod wants."""
    limits = (container.get("resources", {}).get("limits", {}) for container in template["spec"]["containers"])
    return sum(int(each.get(CARD, 0)) for each in limits)
