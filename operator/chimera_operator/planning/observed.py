"""One consistent look at everything that a plan is made from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.planning.capacity.cards import resource_of
from chimera_operator.planning.reading.nodes import Node
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.manifest import Manifest, ObjectKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is asked of a model, as its pickers see it, all together.

    Attributes:
        backlog_tokens: Predicted output tokens in flight, of requests that wait too.
        waiting: Requests that wait for a replica.
        idle_seconds: Seconds since the last request for it; since the pickers began where there was none.
    """

    backlog_tokens: int
    waiting: int
    idle_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was found in the cluster.

    Attributes:
        objects: The pool's children, with their status, and with apiVersion and kind, which lists leave out.
        pods: The pool's pods, of models and pickers.
        events: Warnings about the pods that say what nothing else does, such as volumes that cannot be mounted; the
            oldest first.
        nodes: The nodes, trimmed.
        demand: What is asked of each model; None: no picker answered, or nobody asked them.
        parents: The Gateways that the pool names, as far as they were found.
        facts: What the cluster is.
    """

    objects: Mapping[ObjectKey, Manifest]
    pods: tuple[Manifest, ...] = ()
    events: tuple[Manifest, ...] = ()
    nodes: tuple[Node, ...] = ()
    demand: Mapping[str, Demand] | None = None
    parents: tuple[Manifest, ...] = ()
    facts: Facts

    def of_kind(self, kind: str) -> Iterator[Manifest]:
        """Yield the pool's children of a kind."""
        return (manifest for key, manifest in self.objects.items() if key.kind == kind)


def asks_for_nodes(pool: HeterogeneousModelPool) -> bool:
    """Return whether planning needs the nodes: some model's cards are counted by them."""
    return any(resource_of(accelerator) for model in pool.spec.models for accelerator in model.accelerators)


def asks_for_demand(pool: HeterogeneousModelPool) -> bool:
    """Return whether planning needs to know what is asked of the models: the operator scales some of them."""
    return any(model.scaling.auto for model in pool.spec.models)
