"""What every test shares: asyncio for coroutines, and hypothesis without a deadline on a shared machine."""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings
from own_tasks import pytest_fixture_setup, pytest_pyfunc_call

__all__ = ["pytest_fixture_setup", "pytest_pyfunc_call"]

settings.register_profile("chimera", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("chimera")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def one_loop(anyio_backend: str) -> None:
    """Keep one event loop for all tests that ask for it: grpc.aio's poller outlives the loop it first saw."""


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """Forget what a command that ran inside a test has done to logging: its standard error is closed by now."""
    yield
    structlog.reset_defaults()
