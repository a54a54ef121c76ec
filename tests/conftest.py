"""What every test shares: asyncio for coroutines, and hypothesis without a deadline on a shared machine."""

import pytest
from hypothesis import settings

settings.register_profile("chimera", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("chimera")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def one_loop(anyio_backend: str) -> None:
    """Keep one event loop for all tests that ask for it: grpc.aio's poller outlives the loop it first saw."""
