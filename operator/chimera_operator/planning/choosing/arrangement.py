"""What must exist, and what of it is not to be written now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chimera_operator.planning.choosing.decision import Decision, Station
from chimera_operator.planning.choosing.rollout import waits
from chimera_operator.planning.reading.deployments import Deployment, with_replicas
from chimera_operator.rendering.manifest import Manifest, ObjectKey, key_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """The pool's objects as they are to be.

    Attributes:
        objects: What must exist, in order.
        untouched: Those of them that are not to be written now.
    """

    objects: tuple[Manifest, ...]
    untouched: frozenset[ObjectKey]


def waiting(decision: Decision, *, held: bool) -> frozenset[str]:
    """Return the names of a model's Deployments that keep what they have for now although it has changed.

    Args:
        decision: What was decided for the model.
        held: Whether all of them wait for something else.
    """
    flags = waits([station.turn for station in decision.stations], held=held)
    named = zip(decision.stations, flags, strict=True)
    return frozenset(station.alternative.name for station, waits_now in named if waits_now)


def arrangement(rendered: Sequence[Manifest], decisions: Sequence[Decision], names: frozenset[str]) -> Arrangement:
    """Return the objects, of which some Deployments keep all that they have but the number of their replicas.

    Args:
        rendered: What the pool becomes.
        decisions: What was decided for its models.
        names: Deployments that wait.
    """
    kept = {
        key_of(found.manifest): with_replicas(found.manifest, station.replicas)
        for found, station in _deployments(decisions)
        if station.replicas and (station.alternative.retired or found.name in names)
    }
    same = {key_of(found.manifest) for found, station in _deployments(decisions) if found.replicas == station.replicas}
    retired = [manifest for key, manifest in kept.items() if key not in set(map(key_of, rendered))]
    return Arrangement(
        objects=(*(kept.get(key_of(manifest), manifest) for manifest in rendered), *retired),
        untouched=frozenset(kept.keys() & same),
    )


def _deployments(decisions: Sequence[Decision]) -> Iterator[tuple[Deployment, Station]]:
    for decision in decisions:
        for station in decision.stations:
            if station.alternative.deployment:
                yield station.alternative.deployment, station
