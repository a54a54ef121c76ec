"""What every suite on a real cluster shares; `python -m chimera_cluster run -- pytest e2e/...` runs one."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from missing import absent

from chimera_cluster import evidence, network
from chimera_cluster.cluster import Cluster
from chimera_cluster.commands import output
from chimera_cluster.errors import ClusterError
from chimera_cluster.gateway import Gateway
from chimera_cluster.gateways import ENVOY_GATEWAY, ISTIO
from chimera_cluster.images import making, names
from chimera_cluster.images.parts import PARTS

ARCHIVES = Path("out/images")
EVIDENCE = Path("out/e2e")
CHART = Path(__file__).resolve().parents[1] / "charts" / "chimera"
RELEASE_SPACE = "chimera-system"


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """Return the cluster that this process can reach."""
    found = network.find()
    if found is None:
        absent("no cluster in reach: run this through python -m chimera_cluster run --, or set KUBECONFIG")
    return Cluster(Path(os.environ["KUBECONFIG"]), found)


@pytest.fixture
def space(cluster: Cluster) -> Iterator[str]:
    """Return a namespace of the test's own, which admits no pod that asks for more than it needs."""
    with cluster.space() as name:
        yield name


@pytest.fixture(scope="session")
def image(cluster: Cluster) -> Callable[[str], str]:
    """Give an image to the nodes, once, and return what pods call it; `chimera_cluster images NAME` makes it."""

    @cache
    def loaded(name: str) -> str:
        archive = ARCHIVES / f"{name}.tar"
        assert archive.exists(), f"python -m chimera_cluster images {name}"
        cluster.network.load(archive)
        return names.of_part(name, making.release().version) if name in PARTS else names.own(name)

    return loaded


@pytest.fixture(scope="session")
def gateway_class(cluster: Cluster) -> str:
    """Return the class of Envoy Gateway's gateways."""
    return _served(cluster, ENVOY_GATEWAY)


@pytest.fixture(scope="session")
def istio_class(cluster: Cluster) -> str:
    """Return the class of Istio's gateways."""
    return _served(cluster, ISTIO)


def _served(cluster: Cluster, gateway: Gateway) -> str:
    try:
        cluster.get("gatewayclass", gateway.gateway_class)
    except ClusterError:
        pytest.skip(f"no GatewayClass `{gateway.gateway_class}`: make cluster GATEWAY={gateway.name}")
    return gateway.gateway_class


@pytest.fixture(scope="session")
def release(cluster: Cluster, image: Callable[[str], str]) -> str:
    """Return the namespace of the chart's release, which is installed as its documentation says."""
    for part in PARTS:
        image(part)
    where = ["chimera", str(CHART), f"--namespace={RELEASE_SPACE}", "--create-namespace"]
    output(["helm", "upgrade", "--install", *where, "--set=global.imageRegistry=localhost", "--wait", "--timeout=180s"])
    cluster.await_rollout("deployment/chimera-operator", space=RELEASE_SPACE)
    return RELEASE_SPACE


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep what the cluster looks like where a test fails."""
    report = yield
    found = item.funcargs.get("cluster") if isinstance(item, pytest.Function) else None
    if report.failed and isinstance(found, Cluster):
        folder = EVIDENCE / item.nodeid.replace("/", ".").replace("::", ".")
        evidence.collect(found, folder)
        report.sections.append(("the cluster", f"its pods and what they said: {folder}"))
    return report
