"""Every kind of object that a pool becomes, once."""

from typing import NamedTuple

from chimera_operator.api.names import GROUP, VERSION


class Kind(NamedTuple):
    """A kind, as the API server knows it. As text it is `group/version/Kind`, as `Facts.apis` has it.

    Attributes:
        api_version: Group and version.
        name: Of the kind.
    """

    api_version: str
    name: str

    def __str__(self) -> str:
        return f"{self.api_version}/{self.name}"


SERVICE_ACCOUNT = Kind("v1", "ServiceAccount")
CONFIG_MAP = Kind("v1", "ConfigMap")
SERVICE = Kind("v1", "Service")
CLAIM = Kind("v1", "PersistentVolumeClaim")
DEPLOYMENT = Kind("apps/v1", "Deployment")
ROLE = Kind("rbac.authorization.k8s.io/v1", "Role")
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy")
DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget")
POOL = Kind(f"{GROUP}/{VERSION}", "HeterogeneousModelPool")
POOLED_MODEL = Kind(f"{GROUP}/{VERSION}", "PooledModel")

INFERENCE_POOL = Kind("inference.networking.k8s.io/v1", "InferencePool")
GATEWAY = Kind("gateway.networking.k8s.io/v1", "Gateway")
HTTP_ROUTE = Kind("gateway.networking.k8s.io/v1", "HTTPRoute")
BACKEND_TLS_POLICY = Kind("gateway.networking.k8s.io/v1", "BackendTLSPolicy")
ENVOY_EXTENSION_POLICY = Kind("gateway.envoyproxy.io/v1alpha1", "EnvoyExtensionPolicy")
BACKEND_TRAFFIC_POLICY = Kind("gateway.envoyproxy.io/v1alpha1", "BackendTrafficPolicy")
DESTINATION_RULE = Kind("networking.istio.io/v1", "DestinationRule")
POD_MONITOR = Kind("monitoring.coreos.com/v1", "PodMonitor")
SERVICE_MONITOR = Kind("monitoring.coreos.com/v1", "ServiceMonitor")

OPTIONAL = frozenset(
    (
        *(INFERENCE_POOL, HTTP_ROUTE, BACKEND_TLS_POLICY, ENVOY_EXTENSION_POLICY, BACKEND_TRAFFIC_POLICY),
        *(DESTINATION_RULE, POD_MONITOR, SERVICE_MONITOR),
    )
)
"""Kinds that a cluster may lack. An object of one is rendered only where `Facts.apis` names it."""
