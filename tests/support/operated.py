"""A pool in the toy cluster, looked after by the real plan, in virtual time."""

from collections.abc import Hashable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from toy_cluster import ToyCluster

from chimera_operator.api.parse import parse_resource
from chimera_operator.api.status import ModelStatus, PoolStatus
from chimera_operator.planning.memory import Memory
from chimera_operator.planning.plan import plan
from chimera_operator.planning.result import Plan
from chimera_operator.planning.status.notes import Note

H100, A100 = {"gpu": "h100"}, {"gpu": "a100"}
"""Labels of nodes."""


def engine(name: str, **fields: Any) -> dict[str, Any]:
    """Return a model on H100 cards, or else on A100 cards."""
    accelerators = [
        {"class": "nvidia-h100", "nodeSelector": H100},
        {"class": "nvidia-a100-80gb", "nodeSelector": A100},
    ]
    return {
        "name": name,
        "source": {"huggingFace": {"repo": f"org/{name}"}},
        "descriptor": {"parametersB": 8},
        "accelerators": accelerators,
        **fields,
    }


def document(*models: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Return a pool as the API server has it."""
    return {
        "apiVersion": "chimera.dev/v1alpha1",
        "kind": "HeterogeneousModelPool",
        "metadata": {"name": "pool", "namespace": "default", "uid": "1", "generation": 1},
        "spec": {"models": list(models), **spec},
    }


@dataclass(slots=True)
class Operated:
    """A pool under the operator's care.

    Attributes:
        cluster: Where it is.
        document: What is wished.
        status: What was told of it last.
        memory: What the last plan handed on.
        last: The last plan.
        notes: What was told so far.
        least: The least replicas of each model that served since they were last reset.
        looks: How often was looked.
    """

    cluster: ToyCluster
    document: dict[str, Any]
    status: PoolStatus | None = None
    memory: Memory = field(default_factory=Memory)
    last: Plan | None = None
    notes: list[Note] = field(default_factory=list)
    least: dict[str, int] = field(default_factory=dict)
    looks: int = 0
    _seen: Hashable = None
    _due: datetime | None = None

    def look(self) -> Plan:
        """Plan and apply, once."""
        pool = parse_resource(self.document).model_copy(update={"status": self.status})
        self._seen = self._state()
        found = plan(pool, self.cluster.observed(), self.memory, now=self.cluster.now)
        self.cluster.apply(found)
        self.memory, self.status, self.last = found.memory, found.status, found
        self.notes += found.notes
        self.looks += 1
        self._due = None if found.again is None else self.cluster.now + timedelta(seconds=found.again)
        return found

    def run(self, seconds: float, *, step: float = 5.0) -> None:
        """Let time pass, with a look whenever something has changed, or the last plan asked for one."""
        for _ in range(round(seconds / step)):
            self._look_if_needed()
            self.cluster.step(step)
            for name in self.models():
                serving = self.cluster.serving(name)
                self.least[name] = min(self.least.get(name, serving), serving)
        self._look_if_needed()

    def _look_if_needed(self) -> None:
        if self._seen != self._state() or (self._due and self._due <= self.cluster.now):
            self.look()

    def _state(self) -> Hashable:
        return self.cluster.state(), str(self.document)

    def edit(self, model: str | None, **fields: Any) -> None:
        """Change fields of a model, or of the pool's spec, as somebody who applies the pool anew."""
        self.document = deepcopy(self.document)
        self.document["metadata"]["generation"] += 1
        spec = self.document["spec"]
        entry = next(each for each in spec["models"] if each["name"] == model) if model else spec
        entry.update(fields)

    def forget(self) -> None:
        """Begin with another operator, which remembers nothing and looks at everything first."""
        self.memory, self._seen = Memory(), None

    def models(self) -> Iterator[str]:
        """Yield the names of the models."""
        return (each["name"] for each in self.document["spec"]["models"])

    def model(self, name: str) -> ModelStatus:
        """Return what was told of a model last."""
        assert self.status is not None
        return next(each for each in self.status.models if each.name == name)

    def places(self, name: str) -> dict[str, int]:
        """Return the replicas of a model by alternative."""
        return {each.name: each.replicas for each in self.model(name).accelerators if each.replicas}

    def condition(self, kind: str) -> tuple[str, str]:
        """Return a condition's status and reason."""
        assert self.status is not None
        found = next(each for each in self.status.conditions if each.type == kind)
        return found.status, found.reason

    def message(self, kind: str) -> str:
        """Return what a condition says."""
        assert self.status is not None
        return next(each for each in self.status.conditions if each.type == kind).message

    def told(self, reason: str) -> list[str]:
        """Return the messages of the notes with a reason."""
        return [note.message for note in self.notes if note.reason == reason]
