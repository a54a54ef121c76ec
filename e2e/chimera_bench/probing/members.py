"""The models that are calibrated: what the pool calls them, and where the bundle has or puts them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from chimera_bench.probing.log import ProbingError
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_training.bundle import Manifest, TrainedModel
from chimera_training.families import family_of
from chimera_training.features import DOMAIN_PREFIX, Floats
from chimera_training.heads import Described, Placement, head_precision, place, sigmoid
from chimera_training.probes.fit import HeadPrior

# How many times more firmly a model that was recorded stays where it is than one that was placed: its deployment
# (quantisation, template, sampling) makes a third of the difference that its size and family leave open.
KNOWN_FIRMNESS = 9.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A model of the pool.

    Attributes:
        name: In the pool.
        entry: Name of its entry in the bundle: where the picker looks it up.
        family: Empty where not known.
        parameters_b: In billions; 0 where not known.
        general_score: 0 where not known.
    """

    name: str
    entry: str
    family: str = ""
    parameters_b: float = 0.0
    general_score: float = 0.0

    @classmethod
    def of_pool(cls, pool: HeterogeneousModelPool) -> list[Self]:
        """Return the models of a pool document."""
        return [
            cls(
                name=model.name,
                entry=model.descriptor.trained_as or model.name,
                family=model.descriptor.family,
                parameters_b=model.descriptor.parameters_b or 0.0,
                general_score=model.descriptor.general_score or 0.0,
            )
            for model in pool.spec.models
        ]

    @classmethod
    def listed(cls, name: str) -> Self:
        """Return a model of which only the name is known; that of its family can be read from it."""
        return cls(name=name, entry=name, family=family_of(name.rpartition("/")[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """Where a model stands before it has answered.

    Attributes:
        entry: Of the bundle, or one that would be added.
        known: Whether the bundle holds it.
        prior: Of its head.
    """

    entry: TrainedModel
    known: bool
    prior: HeadPrior


def chosen(members: Sequence[Member], names: Sequence[str]) -> list[Member]:
    """Return the members of these names, all where there are none.

    Raises:
        ProbingError: There is no such member, or two share an entry of the bundle.
    """
    by_name = {member.name: member for member in members}
    for name in names:
        if name not in by_name:
            raise ProbingError(f"the pool has no model {name}; it has {', '.join(by_name)}")
    asked = [by_name[name] for name in dict.fromkeys(names)] or list(members)
    entries: dict[str, str] = {}
    for member in asked:
        other = entries.setdefault(member.entry.lower(), member.name)
        if other != member.name:
            raise ProbingError(
                f"{other} and {member.name} are both trained as {member.entry}: give one of them another trainedAs, or "
                "choose one with --models"
            )
    return asked


def stand(member: Member, manifest: Manifest) -> Stand:
    """Return where a model stands among those of a bundle: in its own entry, or where its like are expected."""
    known = next((each for each in manifest.models if _is_of(each, member)), None)
    others = [each for each in manifest.models if not _is_of(each, member)]
    if known is None:
        return _placed(member, manifest, others)
    precision = _placement(known, others).precision() if others else head_precision(manifest.readings)
    return Stand(entry=known, known=True, prior=HeadPrior(np.array(known.head), KNOWN_FIRMNESS * precision))


def _is_of(entry: TrainedModel, member: Member) -> bool:
    return entry.name.lower() == member.entry.lower()


def _placement(model: Described, others: Sequence[TrainedModel]) -> Placement:
    return place(model, others, np.array([each.head for each in others]))


def _placed(member: Member, manifest: Manifest, others: Sequence[TrainedModel]) -> Stand:
    head = _placement(member, others)
    traits = place(member, others, np.array([each.traits() for each in others])).expected.tolist()
    effects = place(member, others, np.array([np.ravel(each.effects) for each in others])).expected
    entry = TrainedModel(
        name=member.entry,
        head=tuple(head.expected.tolist()),
        family=member.family,
        parameters_b=member.parameters_b,
        general_score=general_score(head.expected, manifest),
        ability=traits[0],
        stage_verbosity=traits[1],
        remaining_verbosity=traits[2],
        effects=tuple(map(tuple, effects.reshape(len(manifest.applications), -1).tolist())),
    )
    return Stand(entry=entry, known=False, prior=HeadPrior(head.expected, head.precision()))


def domain_columns(manifest: Manifest) -> list[int]:
    """Return which readings are chances of a domain."""
    return [number for number, name in enumerate(manifest.readings) if name.startswith(DOMAIN_PREFIX)]


def general_score(head: Floats, manifest: Manifest) -> float:
    """Return the chance of a right answer, averaged over the domains at average difficulty."""
    return float(sigmoid(head[domain_columns(manifest)]).mean())
