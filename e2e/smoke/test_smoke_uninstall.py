"""The last suite: the release is tested by its own test, upgraded to itself, and taken away again."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from served_pools import Served, model, pool

from chimera_cluster.cluster import Cluster
from chimera_cluster.commands import output

pytestmark = pytest.mark.timeout(500)

CHART = str(Path(__file__).resolve().parents[2] / "charts" / "chimera")
NAME = "chimera"
KEPT = ("customresourcedefinition", "apiservice", "namespace/")  # definitions, and what the API server makes of them
ENDED = 60.0  # seconds until the last pod is gone: those of the release's own test drain


@pytest.fixture
def served(cluster: Cluster, release: str) -> Iterator[Served]:
    """A small pool without a gateway."""
    assert release
    with cluster.space() as space:
        cluster.apply(pool("survivor", model("small"), pickers=1, gateway={"integration": "None"}), space=space)
        made = Served(cluster, space, "survivor")
        made.await_ready()
        yield made


def everywhere(cluster: Cluster) -> set[str]:
    """Return the objects of the release that are not in a namespace, and those in its own."""
    listable = cluster.kubectl("api-resources", "--namespaced=false", "--verbs=list", "--output=name").split()
    found = cluster.kubectl("get", ",".join(listable), "--output=name").split()
    own = cluster.kubectl(
        "get", "all,leases,configmaps,serviceaccounts,roles", "--namespace=chimera-system", "--output=name"
    )
    return {each for each in (*found, *own.split()) if NAME in each}


def test_release_passes_its_own_test(release: str) -> None:
    """`helm test` makes a pool, asks it and deletes it."""
    said = output(["helm", "test", NAME, f"--namespace={release}", "--logs", "--timeout=300s"])

    assert "the pool is gone" in said


def test_release_that_goes_leaves_pools_and_nothing_else(cluster: Cluster, served: Served, release: str) -> None:
    """`helm uninstall` takes all that came with it but the definitions; pools serve on, and go with those."""
    before = set(served.pods())

    output(["helm", "uninstall", NAME, f"--namespace={release}", "--wait", "--timeout=120s"])
    deadline = time.monotonic() + ENDED
    while left := {each for each in everywhere(cluster) if not each.startswith(KEPT)}:
        assert time.monotonic() < deadline, left

    assert set(served.pods()) == before

    cluster.kubectl("delete", "crd", "heterogeneousmodelpools.chimera.dev", "pooledmodels.chimera.dev", "--timeout=60s")
    cluster.kubectl("wait", "pod", "--for=delete", "--all", f"--namespace={served.space}", "--timeout=120s")
