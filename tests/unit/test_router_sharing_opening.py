import sys
import time

import pytest
from prometheus_client import CollectorRegistry

from chimera_router.errors import ConfigError
from chimera_router.sharing.opening import opened
from chimera_router.sharing.settings import SharingSettings

pytestmark = pytest.mark.anyio

NOWHERE = SharingSettings(url="redis://127.0.0.1:1/0", password=None, secret=b"0123456789abcdef")


def entered(registry: CollectorRegistry) -> object:
    return opened(NOWHERE, pool="assistants", clock=time.monotonic, wall=time.time, registry=registry)


async def test_a_missing_client_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what installs it; nothing else of a picker needs it."""
    monkeypatch.setitem(sys.modules, "redis", None)

    with pytest.raises(
        ConfigError, match=r"--shared-workflows: needs the client library: pip install 'chimera\[redis\]'"
    ):
        async with entered(CollectorRegistry()):  # type: ignore[attr-defined]
            pass


async def test_a_server_that_is_not_there_delays_no_start_and_no_end() -> None:
    """Whether it is there shows later, in a metric."""
    registry = CollectorRegistry()
    began = time.monotonic()
    async with entered(registry):  # type: ignore[attr-defined]
        assert registry.get_sample_value("chimera_shared_workflows_up") == 0
        assert registry.get_sample_value("chimera_shared_workflows_untold") == 0

    assert time.monotonic() - began < 1.0
