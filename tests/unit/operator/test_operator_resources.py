"""Where the API server keeps each kind of object."""

import pytest

from chimera_operator.cluster import resources
from chimera_operator.rendering import kinds
from chimera_operator.rendering.kinds import Kind


@pytest.mark.parametrize(
    ("kind", "plural"),
    [
        (kinds.DEPLOYMENT, "deployments"),
        (kinds.NETWORK_POLICY, "networkpolicies"),
        (kinds.DISRUPTION_BUDGET, "poddisruptionbudgets"),
        (kinds.BACKEND_TLS_POLICY, "backendtlspolicies"),
        (resources.GATEWAY, "gateways"),
        (resources.GATEWAY_CLASS, "gatewayclasses"),
        (resources.LEASE, "leases"),
    ],
)
def test_plurals(kind: Kind, plural: str) -> None:
    """Plurals are English, as those of all kinds here are."""
    assert resources.plural(kind) == plural


def test_paths() -> None:
    """The core group has its own root; what is not given is left out."""
    assert resources.path(resources.POD) == "/api/v1/pods"
    assert resources.path(resources.POD, namespace="a", name="b") == "/api/v1/namespaces/a/pods/b"
    pool = resources.path(kinds.POOL, namespace="a", name="b", subresource="status")
    assert pool == "/apis/chimera.dev/v1alpha1/namespaces/a/heterogeneousmodelpools/b/status"


def test_every_kind_of_a_pool_is_mirrored() -> None:
    """A kind that rendering makes and nobody mirrors would be written again and again."""
    rendered = {kind for kind in vars(kinds).values() if isinstance(kind, Kind)}

    assert rendered - set(resources.CHILDREN) == {kinds.POOL, kinds.GATEWAY}
