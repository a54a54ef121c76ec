"""What suites of faults share."""

import pytest
from served_pools import Served


@pytest.fixture
def served(pooled: Served) -> Served:
    """Return a module's pool as it was before the test before."""
    pooled.change_model("small", scaling={"replicas": 2})
    pooled.await_ready()
    return pooled
