"""How each parent Gateway of a pool finds its picker."""

from collections.abc import Mapping
from typing import Literal

from chimera_operator.api.errors import PoolError
from chimera_operator.api.network import ParentRef
from chimera_operator.api.picker import Picker
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering import kinds
from chimera_operator.rendering.encryption import Encryption
from chimera_operator.rendering.facts import Facts, ParentKey
from chimera_operator.rendering.kinds import Kind
from chimera_operator.rendering.manifest import namespace

Integration = Literal["InferencePool", "EnvoyGateway"]
Parents = Mapping[Integration, tuple[ParentRef, ...]]

ENVOY_GATEWAY = "gateway.envoyproxy.io/gatewayclass-controller"
"""Envoy AI Gateway's classes are of this controller too: it adds InferencePool to Envoy Gateway, which does without."""

ISTIO = "istio.io/gateway-controller"

NEEDED: Mapping[Integration, tuple[Kind, ...]] = {
    "InferencePool": (kinds.HTTP_ROUTE,),
    "EnvoyGateway": (kinds.HTTP_ROUTE, kinds.ENVOY_EXTENSION_POLICY, kinds.BACKEND_TRAFFIC_POLICY),
}
"""Kinds that a cluster must have, besides InferencePool, by which pickers find their engines."""


def parents(pool: HeterogeneousModelPool, facts: Facts) -> Parents:
    """Return the Gateways that carry the pool's route, by how each finds the picker; those without any are left out.

    Raises:
        PoolError: A gateway cannot do what the pool asks for.
    """
    gateway = pool.spec.gateway
    if gateway is None or gateway.integration == "None":
        return {}
    found: dict[Integration, tuple[ParentRef, ...]] = {}
    for parent in gateway.parent_refs or ():
        integration = _integration(gateway.integration, _controller(pool, parent, facts))
        found[integration] = (*found.get(integration, ()), parent)
    if "EnvoyGateway" in found and pool.spec.picker.failure_mode == "FailOpen":
        raise PoolError("spec.picker.failureMode", "must be FailClose with Envoy Gateway, which streams whole requests")
    return found


def picker_tls(pool: HeterogeneousModelPool, found: Parents) -> Encryption:
    """Return how the picker serves ext_proc.

    Raises:
        PoolError: A gateway would not take it.
    """
    mode = _encryption(pool.spec.picker, found)
    if mode == "SelfSigned" and "EnvoyGateway" in found:
        rule = "must be Certificate or Plaintext with Envoy Gateway, which takes no certificate that it cannot verify"
        raise PoolError("spec.picker.tls.mode", rule)
    return mode


def under_istio(pool: HeterogeneousModelPool, found: Parents, facts: Facts) -> bool:
    """Return whether a Gateway of Istio's carries the route."""
    return any(_controller(pool, parent, facts) == ISTIO for parent in found.get("InferencePool", ()))


def missing(pool: HeterogeneousModelPool, facts: Facts) -> tuple[Kind, ...]:
    """Return the kinds that the pool needs and the cluster lacks.

    Raises:
        PoolError: A gateway cannot do what the pool asks for.
    """
    needed = dict.fromkeys([kinds.INFERENCE_POOL, *(kind for each in parents(pool, facts) for kind in NEEDED[each])])
    return tuple(kind for kind in needed if not facts.has(kind))


def _encryption(picker: Picker, found: Parents) -> Encryption:
    if picker.tls.mode != "Auto":
        return picker.tls.mode
    needs_tls = picker.tls.client_ca_secret_ref or picker.management.tls
    return "Plaintext" if "EnvoyGateway" in found and not needs_tls else "SelfSigned"


def _integration(asked: str, controller: str | None) -> Integration:
    if asked == "EnvoyGateway" or (asked == "Auto" and controller == ENVOY_GATEWAY):
        return "EnvoyGateway"
    # Of a controller that nobody here knows, or of a Gateway that is not there yet, the standard is expected; if that
    # is wrong, the route's status says so.
    return "InferencePool"


def _controller(pool: HeterogeneousModelPool, parent: ParentRef, facts: Facts) -> str | None:
    return facts.controllers.get(ParentKey(parent.namespace or namespace(pool), parent.name))
