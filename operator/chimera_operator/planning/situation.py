"""What was found of each model, put beside what the pool says of it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chimera_operator.api.accelerators import Accelerator
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.api.status import ModelStatus
from chimera_operator.planning.capacity.cards import Need, need
from chimera_operator.planning.capacity.fit import too_large
from chimera_operator.planning.observed import Demand, Observed
from chimera_operator.planning.reading.deployments import Deployment, deployment
from chimera_operator.planning.reading.nodes import ENDED, taken
from chimera_operator.planning.reading.objects import part
from chimera_operator.planning.reading.pods import Pod, pod
from chimera_operator.rendering.kinds import DEPLOYMENT, POOLED_MODEL
from chimera_operator.rendering.manifest import Manifest
from chimera_operator.rendering.member import CPU, Member, members


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One of a model's alternatives, and what there is on it.

    Attributes:
        name: Name of its Deployment, whether there is one or not.
        label: What status calls it.
        accelerator: The pool's words for it; None: CPUs, or one that the pool does not name.
        need: What a replica needs of a node; None: nobody counts it.
        retired: Whether it is none any more: the pool does not name it, or it cannot carry the model.
        deployment: The Deployment that there is.
        pods: Its pods.
    """

    name: str
    label: str
    accelerator: Accelerator | None = None
    need: Need | None = None
    retired: bool = False
    deployment: Deployment | None = None
    pods: tuple[Pod, ...] = ()

    @property
    def replicas(self) -> int:
        """Replicas that were told to be there."""
        return self.deployment.replicas if self.deployment else 0

    @property
    def placed(self) -> int:
        """Replicas that have a node."""
        return sum(each.placed for each in self.pods)

    @property
    def over(self) -> int:
        """Replicas that hold a place beyond those told: they surge, or end and leave it to others."""
        return max(0, sum(bool(each.node) and each.phase not in ENDED for each in self.pods) - self.replicas)

    @property
    def unplaced(self) -> int:
        """Replicas that have none yet: pods without one, and those that are not even made."""
        pods = sum(each.active and not each.node for each in self.pods)
        return max(pods, self.replicas - self.placed)

    @property
    def serving(self) -> int:
        """Replicas that serve, no more than were told to be there: one more is about to replace another."""
        return min(self.replicas, sum(each.serving for each in self.pods))

    @property
    def holding(self) -> Mapping[str, int]:
        """Extended resources that each of its replicas holds."""
        template = part(self.deployment.manifest, "spec", "template", "spec") if self.deployment else {}
        return taken({"spec": template})

    def searching(self, now: datetime, *, revision: str = "") -> timedelta | None:
        """Return how long a replica has searched for a place, at the longest; None: none does.

        Args:
            now: The time.
            revision: Of which revision; empty: of any.
        """
        since = [each.scheduled for each in self.pods if each.searching and revision in {"", each.revision}]
        return max((now - began for began in since if began), default=None)

    @property
    def wait(self) -> timedelta:
        """How long a replica searches before it takes the next alternative."""
        return timedelta(seconds=self.accelerator.wait_seconds if self.accelerator else 0)

    def in_vain(self, now: datetime) -> bool:
        """Return whether a replica has searched for as long as that."""
        searched = self.searching(now)
        return searched is not None and searched >= self.wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One model of the pool: what is wished of it, and what there is.

    Attributes:
        member: The model.
        alternatives: Where it may run, the preferred first, then where it still runs but should not.
        pods: All its pods.
        scale: Its PooledModel.
        before: Its last status.
        demand: What is asked of it.
    """

    member: Member
    alternatives: tuple[Alternative, ...]
    pods: tuple[Pod, ...] = ()
    scale: Manifest | None = None
    before: ModelStatus | None = None
    demand: Demand | None = None

    @property
    def name(self) -> str:
        """The model's name."""
        return self.member.model.name

    @property
    def serving(self) -> int:
        """Replicas that serve."""
        return sum(each.serving for each in self.pods)

    @property
    def scaled(self) -> int | None:
        """Replicas that its PooledModel says; None: there is none yet."""
        return int(part(self.scale, "spec").get("replicas", 1)) if self.scale else None


def situations(pool: HeterogeneousModelPool, observed: Observed) -> tuple[Situation, ...]:
    """Return the situation of each model, in the pool's order."""
    pods, deployments = defaultdict(list), defaultdict(list)
    for found in map(pod, observed.pods):
        pods[found.model].append(found)
    for each in map(deployment, observed.of_kind(DEPLOYMENT.name)):
        deployments[each.model].append(each)
    scales = {part(each, "spec").get("model"): each for each in observed.of_kind(POOLED_MODEL.name)}
    before = {status.name: status for status in pool.status.models} if pool.status else {}
    return tuple(
        Situation(
            member=member,
            alternatives=tuple(_alternatives(member, deployments[name], pods[name])),
            pods=tuple(pods[name]),
            scale=scales.get(name),
            before=before.get(name),
            demand=(observed.demand or {}).get(name),
        )
        for member in members(pool)
        for name in (member.model.name,)
    )


def _alternatives(member: Member, found: Sequence[Deployment], pods: Sequence[Pod]) -> Iterator[Alternative]:
    """Yield where a model may run, then where it still does."""
    known = {each.name: each for each in found}
    named: Sequence[Accelerator | None] = member.model.accelerators or (None,)
    unfit = [too_large(member.model, accelerator) for accelerator in named]
    for large, accelerator in sorted(zip(unfit, named, strict=True), key=lambda pair: pair[0]):
        name = member.deployment_name(accelerator)
        yield Alternative(
            name=name,
            label=accelerator.label if accelerator else "",
            accelerator=accelerator,
            need=need(member.model, accelerator) if accelerator else None,
            retired=large,
            deployment=known.pop(name, None),
            pods=tuple(each for each in pods if each.deployment == name),
        )
    for name, each in sorted(known.items()):
        own = tuple(pod for pod in pods if pod.deployment == name)
        label = "" if each.accelerator == CPU else each.accelerator
        yield Alternative(name=name, label=label, retired=True, deployment=each, pods=own)
