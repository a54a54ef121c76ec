"""What every suite on a real cluster shares; `python -m chimera_cluster run -- pytest e2e/...` runs one."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from chimera_cluster import evidence, network
from chimera_cluster.cluster import Cluster
from chimera_cluster.images import making, names
from chimera_cluster.images.parts import PARTS

ARCHIVES = Path("out/images")
EVIDENCE = Path("out/e2e")


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """Return the cluster that this process can reach."""
    found = network.find()
    if found is None:
        said = "no cluster in reach: run this through python -m chimera_cluster run --, or set KUBECONFIG"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)
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
