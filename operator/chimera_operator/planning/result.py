"""What a plan is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chimera_operator.api.pooled_model import PooledModelStatus
from chimera_operator.api.status import PoolStatus
from chimera_operator.planning.memory import Memory
from chimera_operator.planning.status.notes import Note
from chimera_operator.rendering.manifest import Manifest, ObjectKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done for a pool.

    Attributes:
        objects: What must exist, in the order in which it is applied; whatever else the pool has is to go.
        untouched: Those of them that are not to be written now.
        status: The pool's status.
        models: The status of each model's PooledModel.
        notes: What is to be told as Events.
        again: Seconds until something may change without anything in the cluster changing; None: it will not.
        memory: What to hand to the pool's next plan.
    """

    objects: tuple[Manifest, ...]
    untouched: frozenset[ObjectKey]
    status: PoolStatus
    models: Mapping[str, PooledModelStatus] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    again: float | None = None
    memory: Memory
