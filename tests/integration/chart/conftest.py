"""Each Helm that the chart is for."""

import pytest
from charts import Helm, built

from chimera_cluster.programs.catalog import HELM


@pytest.fixture(params=HELM, scope="session")
def helm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Return a Helm that talks to no cluster."""
    return Helm(built(request.param), tmp_path_factory.mktemp(request.param))
