"""The picker's Deployment, and the budget that keeps one of its pods."""

from itertools import chain
from typing import Any

from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering import fittings
from chimera_operator.rendering.encryption import Encryption
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.kinds import DEPLOYMENT, DISRUPTION_BUDGET
from chimera_operator.rendering.manifest import PICKER, Manifest, filled, labels, new, selector
from chimera_operator.rendering.picker import names
from chimera_operator.rendering.picker.arguments import longest_drain, picker_parts
from chimera_operator.rendering.picker.bundle import Bundled
from chimera_operator.rendering.picker.names import picker_name
from chimera_operator.rendering.pods import pod_spec, resources, tolerations
from chimera_operator.rendering.security import container_security, pod_security
from chimera_operator.rendering.timing import drain_lifecycle, grace_seconds, picker_probes

KEPT_REVISIONS = 2  # ReplicaSets without pods

PROGRAM = ["python", "-m", "chimera_router"]
FETCH = ["python", "-m", "chimera_router.prediction.fetch"]
SCRATCH = fittings.mounted({"name": "scratch", "emptyDir": {}}, "/tmp", writable=True)  # noqa: S108 - the pod's own

_PORTS = (
    (names.EXT_PROC_PORT, names.EXT_PROC),
    (names.MANAGEMENT_PORT, names.MANAGEMENT),
    (names.FEEDBACK_PORT, names.FEEDBACK),
)


def deployment(pool: HeterogeneousModelPool, bundle: Bundled, facts: Facts, *, tls: Encryption) -> Manifest:
    """Return the picker's Deployment.

    Args:
        pool: The pool.
        bundle: Where the predictors are.
        facts: The cluster.
        tls: How ext_proc is served.
    """
    pod = pool.spec.picker.pod
    marks = {"labels": {**pod.labels, **labels(pool, PICKER)}, "annotations": dict(pod.annotations)}
    spec = {
        "replicas": pool.spec.picker.replicas,
        "revisionHistoryLimit": KEPT_REVISIONS,
        "selector": {"matchLabels": selector(pool, PICKER)},
        # A new one decides before an old one goes: without a picker nothing is served.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {"metadata": filled(marks), "spec": _pod(pool, bundle, facts, tls)},
    }
    return new(pool, DEPLOYMENT, picker_name(pool), component=PICKER, spec=spec)


def disruption_budget(pool: HeterogeneousModelPool) -> Manifest:
    """Return what keeps drains of nodes from ending more than one picker at a time."""
    spec = {
        "maxUnavailable": 1,
        "selector": {"matchLabels": selector(pool, PICKER)},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return new(pool, DISRUPTION_BUDGET, picker_name(pool), component=PICKER, spec=spec)


def _pod(pool: HeterogeneousModelPool, bundle: Bundled, facts: Facts, tls: Encryption) -> Manifest:
    pod, parts = pool.spec.picker.pod, tuple(picker_parts(pool, tls=tls))
    outfit = fittings.together((*(part for _, part in parts), bundle.fittings, SCRATCH))
    return pod_spec(
        pod,
        service_account=picker_name(pool),
        spread=selector(pool, PICKER),
        automountServiceAccountToken=True,
        securityContext=pod_security(),
        nodeSelector=dict(pod.node_selector),
        tolerations=tolerations(pod.tolerations),
        # Not less than any engine gets: whose answer is still on its way passes the picker.
        terminationGracePeriodSeconds=grace_seconds(longest_drain(pool)),
        initContainers=_fetching(pool, bundle, facts),
        containers=[
            _container(
                pool,
                facts,
                name="picker",
                command=PROGRAM,
                args=[word for flags, _ in parts for flag in flags for word in flag],
                env=list(outfit.env),
                ports=[{"name": name, "containerPort": number} for name, number in _PORTS],
                **picker_probes(port=names.MANAGEMENT_PORT, scheme=_scheme(pool)),
                lifecycle=drain_lifecycle(),
                volumeMounts=list(outfit.mounts),
            )
        ],
        volumes=list(outfit.volumes),
    )


def _scheme(pool: HeterogeneousModelPool) -> str:
    return "HTTPS" if pool.spec.picker.management.tls else "HTTP"


def _fetching(pool: HeterogeneousModelPool, bundle: Bundled, facts: Facts) -> list[Manifest]:
    """Return what fetches an archive of predictors before the picker starts."""
    if not bundle.fetch:
        return []
    mounts = fittings.together((bundle.fetch_fittings, SCRATCH)).mounts
    words = list(chain.from_iterable(bundle.fetch))
    return [_container(pool, facts, name="fetch-bundle", command=FETCH, args=words, volumeMounts=list(mounts))]


def _container(pool: HeterogeneousModelPool, facts: Facts, **fields: Any) -> Manifest:
    picker = pool.spec.picker
    return filled(
        {
            **fields,
            "image": picker.image or facts.picker_image,
            "imagePullPolicy": picker.image_pull_policy,
            "resources": resources(picker.resources),
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": container_security(),
        }
    )
