"""Who the picker is to the API server, and what it may ask: what it reads in its own namespace, and nothing else."""

from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering.kinds import INFERENCE_POOL, ROLE, ROLE_BINDING, SERVICE_ACCOUNT
from chimera_operator.rendering.manifest import PICKER, Manifest, namespace, new
from chimera_operator.rendering.picker.names import picker_name

READ = ["get", "list", "watch"]


def service_account(pool: HeterogeneousModelPool) -> Manifest:
    """Return the account of the picker's pods."""
    return new(pool, SERVICE_ACCOUNT, picker_name(pool), component=PICKER, automountServiceAccountToken=False)


def role(pool: HeterogeneousModelPool) -> Manifest:
    """Return its rights: to see the pods, whose labels no rule can name, its InferencePool and its ConfigMap."""
    group, _, _ = INFERENCE_POOL.api_version.partition("/")
    rules = [
        {"apiGroups": [""], "resources": ["pods"], "verbs": READ},
        {"apiGroups": [group], "resources": ["inferencepools"], "resourceNames": [pool.metadata.name], "verbs": READ},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [picker_name(pool)], "verbs": READ},
    ]
    return new(pool, ROLE, picker_name(pool), component=PICKER, rules=rules)


def role_binding(pool: HeterogeneousModelPool) -> Manifest:
    """Return what gives the account these rights."""
    group, _, _ = ROLE.api_version.partition("/")
    account = pool.spec.picker.pod.service_account_name or picker_name(pool)
    return new(
        pool,
        ROLE_BINDING,
        picker_name(pool),
        component=PICKER,
        roleRef={"apiGroup": group, "kind": ROLE.name, "name": picker_name(pool)},
        subjects=[{"kind": SERVICE_ACCOUNT.name, "name": account, "namespace": namespace(pool)}],
    )
