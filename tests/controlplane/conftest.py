"""The control plane that the tests of this folder share, and a client of its administrator."""

from collections.abc import AsyncIterator

import pytest
import yaml
from clusters import Cluster, connected
from control_planes import ControlPlane, control_plane

from chimera_cluster.programs.catalog import PROGRAMS
from chimera_operator.api import crds

__all__ = ["control_plane"]


@pytest.fixture
async def cluster(control_plane: ControlPlane, definitions: list[str]) -> AsyncIterator[Cluster]:
    async with connected(control_plane.kubeconfig()) as found:
        await found.install(definitions)
        yield found


@pytest.fixture
async def namespace(cluster: Cluster) -> str:
    """Return a new namespace of a cluster that knows pools."""
    await cluster.install([yaml.safe_dump(each) for each in crds.definitions().values()])
    return await cluster.namespace()


@pytest.fixture(scope="session")
def definitions() -> list[str]:
    """Return the definition of InferencePool."""
    return [path.read_text() for path in PROGRAMS.folder("crds").glob("*.yaml")]
