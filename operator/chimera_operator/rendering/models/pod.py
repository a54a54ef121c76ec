"""The template of an engine's pods, and its revision."""

import json
from hashlib import sha256

from chimera_operator.api.accelerators import Accelerator
from chimera_operator.api.names import ACCELERATOR_LABEL, MODEL_LABEL, REVISION_LABEL, pool_object_name
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.manifest import ENGINE, SIMULATED_LABEL, Manifest, labels
from chimera_operator.rendering.member import CPU, Member
from chimera_operator.rendering.models.accelerators import node_labels, resource_claims
from chimera_operator.rendering.models.build import Build
from chimera_operator.rendering.models.container import containers
from chimera_operator.rendering.models.outfit import outfit
from chimera_operator.rendering.models.ports import ACTIVE_PORTS, active_ports
from chimera_operator.rendering.pods import pod_spec, tolerations
from chimera_operator.rendering.profiles import profile
from chimera_operator.rendering.security import pod_security
from chimera_operator.rendering.timing import grace_seconds

SERVICE_ACCOUNT = "engines"  # the role in its name

_DIGITS = 10  # of the digest: nobody meets the same twice


def revision(member: Member, *, engine_profile: str, accelerator: Accelerator | None, facts: Facts) -> str:
    """Return the revision of a model's pods: the digest of everything in their template.

    Raises:
        PoolError: The model cannot be rendered.
    """
    template = pod_template(member, engine_profile=engine_profile, accelerator=accelerator, facts=facts)
    return str(template["metadata"]["labels"][REVISION_LABEL])


def pod_template(member: Member, *, engine_profile: str, accelerator: Accelerator | None, facts: Facts) -> Manifest:
    """Return the template of a model's pods on one alternative.

    Raises:
        PoolError: The model cannot be rendered.
    """
    found = profile(member, engine_profile)
    template = _template(Build(member=member, profile=found, accelerator=accelerator, facts=facts))
    template["metadata"]["labels"][REVISION_LABEL] = _digest(template)
    return template


def _template(build: Build) -> Manifest:
    member, pod = build.member, build.member.model.pod
    of_model = {MODEL_LABEL: member.model.name, ACCELERATOR_LABEL: accelerator_name(build.accelerator)}
    simulated = {SIMULATED_LABEL: "true"} if member.model.engine.type == "Simulator" else {}
    return {
        "metadata": {
            "labels": {**pod.labels, **labels(member.pool, ENGINE), **of_model, **simulated},
            "annotations": {**pod.annotations, ACTIVE_PORTS: active_ports(member)},
        },
        "spec": _spec(build),
    }


def accelerator_name(accelerator: Accelerator | None) -> str:
    """Return what the label of pods calls what they run on."""
    return accelerator.label if accelerator else CPU


def _spec(build: Build) -> Manifest:
    member, accelerator, chosen = build.member, build.accelerator, outfit(build)
    pod = member.model.pod
    return pod_spec(
        pod,
        service_account=pool_object_name(member.pool.metadata.name, SERVICE_ACCOUNT),
        spread=member.selector,
        automountServiceAccountToken=False,
        securityContext=pod_security(build.profile.account),
        nodeSelector=node_labels(member, accelerator),
        tolerations=tolerations(pod.tolerations, accelerator.tolerations if accelerator else ()),
        runtimeClassName=accelerator.runtime_class_name if accelerator else None,
        resourceClaims=resource_claims(accelerator, len(chosen.arguments)),
        terminationGracePeriodSeconds=grace_seconds(member.model.rollout.drain_seconds),
        containers=containers(build, chosen),
        volumes=list(chosen.fittings.volumes),
    )


def _digest(template: Manifest) -> str:
    return sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:_DIGITS]
