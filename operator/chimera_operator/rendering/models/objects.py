"""What a model becomes: Deployments, and what belongs to all of them."""

from collections.abc import Iterator

from chimera_operator.api.names import ACCELERATOR_LABEL, REVISION_LABEL
from chimera_operator.rendering.choices import Choice, Placement
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.kinds import DEPLOYMENT, DISRUPTION_BUDGET, POOLED_MODEL
from chimera_operator.rendering.manifest import ENGINE, Manifest, new
from chimera_operator.rendering.member import Member
from chimera_operator.rendering.models.pod import accelerator_name, pod_template
from chimera_operator.rendering.timing import PLACE_SECONDS

KEPT_REVISIONS = 2  # ReplicaSets without pods, for `kubectl rollout history`; the pool itself is what one goes back by


def disruption_budget(member: Member) -> Manifest:
    """Return what keeps drains of nodes from ending more than one replica of a model at a time.

    A single replica may be ended: a budget that forbids it would block the drain for ever.
    """
    spec = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": member.selector},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return new(member.pool, DISRUPTION_BUDGET, member.name(), component=ENGINE, more_labels=member.selector, spec=spec)


def pooled_model(member: Member, choice: Choice) -> Manifest:
    """Return the resource through which the model's replicas are scaled."""
    wished = {} if choice.wished is None else {"replicas": choice.wished}
    spec = {"pool": member.pool.metadata.name, "model": member.model.name, **wished}
    return new(member.pool, POOLED_MODEL, member.name(), component=ENGINE, more_labels=member.selector, spec=spec)


def deployments(member: Member, choice: Choice, facts: Facts) -> Iterator[Manifest]:
    """Yield the Deployments of a model, one for each placement.

    Raises:
        PoolError: The model cannot be rendered.
    """
    yield from (_deployment(member, placement, choice.profile, facts) for placement in choice.placements)


def _deployment(member: Member, placement: Placement, engine_profile: str, facts: Facts) -> Manifest:
    accelerator = placement.accelerator
    template = pod_template(member, engine_profile=engine_profile, accelerator=accelerator, facts=facts)
    selected = {**member.selector, ACCELERATOR_LABEL: accelerator_name(accelerator)}
    spec = {
        "replicas": placement.replicas,
        "revisionHistoryLimit": KEPT_REVISIONS,
        "progressDeadlineSeconds": member.model.engine.startup_seconds + PLACE_SECONDS,
        "selector": {"matchLabels": selected},
        "strategy": _strategy(member, placement),
        "template": template,
    }
    more = {**selected, REVISION_LABEL: template["metadata"]["labels"][REVISION_LABEL]}
    name = member.deployment_name(accelerator)
    return new(member.pool, DEPLOYMENT, name, component=ENGINE, more_labels=more, spec=spec)


def _strategy(member: Member, placement: Placement) -> Manifest:
    rollout = member.model.rollout
    match placement.strategy:
        case "Surge":
            return _rolling(surge=max(rollout.max_surge, 1), unavailable=0)
        case "InPlace":
            return _rolling(surge=0, unavailable=max(rollout.max_unavailable, 1))
        case "Recreate":
            return {"type": "Recreate"}


def _rolling(*, surge: int, unavailable: int) -> Manifest:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
