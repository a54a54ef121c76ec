"""From a pool and what was decided for its models to every object in the cluster."""

from collections.abc import Iterator, Mapping

from chimera_operator.api.names import pool_object_name
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering import kinds
from chimera_operator.rendering.choices import Choice
from chimera_operator.rendering.encryption import Encryption
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.gateway import tls
from chimera_operator.rendering.gateway.envoy_gateway import through_envoy_gateway
from chimera_operator.rendering.gateway.integration import Parents, parents, picker_tls, under_istio
from chimera_operator.rendering.gateway.routes import inference_pool, route_to_pool
from chimera_operator.rendering.kinds import SERVICE_ACCOUNT
from chimera_operator.rendering.manifest import ENGINE, Manifest, namespace, new
from chimera_operator.rendering.member import members
from chimera_operator.rendering.models import objects
from chimera_operator.rendering.models.caches import claims
from chimera_operator.rendering.models.pod import SERVICE_ACCOUNT as ENGINES
from chimera_operator.rendering.monitoring import monitors
from chimera_operator.rendering.network import network_policies
from chimera_operator.rendering.picker import access, workload
from chimera_operator.rendering.picker.bundle import bundled
from chimera_operator.rendering.picker.service import config_map, service
from chimera_operator.rendering.profiles import profile
from chimera_operator.rendering.router_config import router_config


def render(pool: HeterogeneousModelPool, choices: Mapping[str, Choice], facts: Facts) -> tuple[Manifest, ...]:
    """Return everything that a pool becomes, in the order in which it is to be applied.

    What pods need is there before them, the picker before engines, and the route last, when all it leads to is there.
    Objects of kinds that the cluster lacks are left out.

    Args:
        pool: The pool.
        choices: What was decided for its models, by name.
        facts: The cluster.

    Raises:
        PoolError: The pool cannot be served in this cluster.
    """
    found = parents(pool, facts)
    mode = picker_tls(pool, found)
    everything = (
        *_accounts(pool),
        *network_policies(pool, facts),
        *_picker(pool, choices, facts, mode),
        *_models(pool, choices, facts),
        *monitors(pool),
        *_routes(pool, facts, found, mode),
    )
    return tuple(manifest for manifest in everything if _exists(manifest, facts))


def _exists(manifest: Manifest, facts: Facts) -> bool:
    kind = kinds.Kind(manifest["apiVersion"], manifest["kind"])
    return kind not in kinds.OPTIONAL or facts.has(kind)


def _accounts(pool: HeterogeneousModelPool) -> Iterator[Manifest]:
    engines = pool_object_name(pool.metadata.name, ENGINES)
    yield new(pool, SERVICE_ACCOUNT, engines, component=ENGINE, automountServiceAccountToken=False)
    yield access.service_account(pool)
    yield access.role(pool)
    yield access.role_binding(pool)


def _picker(
    pool: HeterogeneousModelPool, choices: Mapping[str, Choice], facts: Facts, mode: Encryption
) -> Iterator[Manifest]:
    bundle = bundled(pool, facts)
    where = {"kubernetes": {"namespace": namespace(pool), "inferencePool": pool.metadata.name}}
    engines = {member.model.name: profile(member, choices[member.model.name].profile) for member in members(pool)}
    yield config_map(pool, router_config(pool, discovery=where, engines=engines, bundle=bundle.path))
    yield service(pool, tls=mode)
    yield inference_pool(pool)
    yield workload.disruption_budget(pool)
    yield workload.deployment(pool, bundle, facts, tls=mode)


def _models(pool: HeterogeneousModelPool, choices: Mapping[str, Choice], facts: Facts) -> Iterator[Manifest]:
    for member in members(pool):
        choice = choices[member.model.name]
        yield from claims(member)
        yield objects.disruption_budget(member)
        yield objects.pooled_model(member, choice)
        yield from objects.deployments(member, choice, facts)


def _routes(pool: HeterogeneousModelPool, facts: Facts, found: Parents, mode: Encryption) -> Iterator[Manifest]:
    secret = pool.spec.picker.tls.secret_ref
    if secret and found:
        yield tls.verified(pool, secret.name)
    if mode == "SelfSigned" and under_istio(pool, found, facts):
        yield tls.unverified(pool)
    if "InferencePool" in found:
        yield route_to_pool(pool, found["InferencePool"])
    if "EnvoyGateway" in found:
        yield from through_envoy_gateway(pool, found["EnvoyGateway"])
