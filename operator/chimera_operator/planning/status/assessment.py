"""How a model stands: its phase, its counts, what is true of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from chimera_operator.api.status import AcceleratorStatus, ModelStatus, Phase
from chimera_operator.planning.capacity.fit import fit
from chimera_operator.planning.causes.cause import Cause, Reason
from chimera_operator.planning.choosing.decision import Decision, Station
from chimera_operator.planning.failures import failure
from chimera_operator.planning.reading.pods import Pod
from chimera_operator.planning.situation import Situation


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """How a model stands.

    Attributes:
        decision: What becomes of it.
        causes: Why replicas do not serve, the one to tell first at the front.
        waiting: Names of Deployments that keep what they have for now although it has changed.
        held: Whether they do because the picker is replaced first.
    """

    decision: Decision
    causes: tuple[Cause, ...] = ()
    waiting: frozenset[str] = frozenset()
    held: bool = False

    @property
    def situation(self) -> Situation:
        """What was found."""
        return self.decision.situation

    @property
    def name(self) -> str:
        """The model's name."""
        return self.situation.name

    @property
    def wished(self) -> int:
        """Replicas that are wished."""
        return self.decision.wished

    @property
    def active(self) -> int:
        """Replicas that there are."""
        return sum(pod.active for pod in self.situation.pods)

    @property
    def serving(self) -> int:
        """Replicas that serve, of any revision."""
        return self.situation.serving

    @property
    def updated(self) -> int:
        """Replicas that serve and are what is wished now."""
        return sum(
            pod.serving and pod.revision == station.revision
            for station in self.named
            for pod in station.alternative.pods
        )

    @property
    def named(self) -> tuple[Station, ...]:
        """Its alternatives, without retired ones."""
        return tuple(station for station in self.decision.stations if not station.alternative.retired)

    @property
    def first(self) -> Station:
        """The most preferred alternative that has replicas; where none has, the most preferred one."""
        return next((station for station in self.named if station.replicas), self.named[0])

    @property
    def going(self) -> tuple[Station, ...]:
        """Its alternatives whose replicas are being replaced."""
        return tuple(
            station
            for station in self.decision.stations
            if (station.turn.rolling and station.outdated)
            or (station.turn.changed and station.alternative.name not in self.waiting)
        )

    @property
    def stalled(self) -> bool:
        """Whether Kubernetes has stopped to believe that replicas come up."""
        return any(station.turn.stalled and not station.turn.changed for station in self.decision.stations)

    @property
    def settled(self) -> bool:
        """Whether there is what is wished and nothing else, and all of it serves."""
        told = sum(station.replicas for station in self.decision.stations)
        return {told, self.active, self.serving, self.updated} == {self.wished}

    @property
    def stuck(self) -> bool:
        """Whether nothing but failures stands between what there is and what is wished."""
        failed = {cause.pod for cause in self.causes}
        return bool(failed) and all(pod.serving or pod.name in failed for pod in self.situation.pods if pod.active)

    @property
    def phase(self) -> Phase:
        """Its phase, in the words of status."""
        if self.wished == 0:
            return "Idle"
        if self.serving == 0:
            return self._before_serving()
        if self.going or self.waiting:
            return "Updating"
        return "Ready" if self.serving >= self.wished else "Degraded"

    def _before_serving(self) -> Phase:
        failed = {cause.pod for cause in self.causes}
        if any(pod.placed and pod.name not in failed for pod in self.situation.pods):
            return "Starting"
        return "Failed" if any(cause.reason is not Reason.UNSCHEDULABLE for cause in self.causes) else "Pending"

    def status(self, *, now: datetime) -> ModelStatus:
        """Return the model's part of the pool's status."""
        before, model = self.situation.before, self.situation.member.model
        return ModelStatus(
            name=self.name,
            phase=self.phase,
            revision=self.first.revision,
            engine_profile=self.decision.profile,
            accelerators=tuple(self._accelerators()),
            replicas=self.active,
            ready_replicas=self.serving,
            updated_ready_replicas=self.updated,
            startup_seconds=_startup_seconds(self.situation.pods) or (before.startup_seconds if before else None),
            last_failure=failure(self.causes, before.last_failure if before else None, now=now),
            fit=fit(model, self.first.alternative.accelerator),
        )

    def _accelerators(self) -> Iterator[AcceleratorStatus]:
        found: dict[str, list[Pod]] = {}  # by label: a Deployment that was called otherwise may have the same
        for station in self.decision.stations:
            pods = [pod for pod in station.alternative.pods if pod.active]
            if station.alternative.label and (pods or station.replicas):
                found.setdefault(station.alternative.label, []).extend(pods)
        for label, pods in found.items():
            serving = sum(pod.serving for pod in pods)
            yield AcceleratorStatus(name=label, replicas=len(pods), ready_replicas=serving)


def _startup_seconds(pods: Sequence[Pod]) -> float | None:
    """Return the median of what replicas took from their place to serving; one that was restarted says nothing."""
    took = [
        (pod.ready_since - pod.scheduled).total_seconds()
        for pod in pods
        if pod.serving and pod.ready_since and pod.scheduled and not any(each.restarts for each in pod.containers)
    ]
    return round(median(took), 1) if took else None
