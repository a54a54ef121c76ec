"""What every test shares: asyncio for coroutines, and hypothesis without a deadline on a shared machine."""

import pytest
from hypothesis import settings

settings.register_profile("chimera", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("chimera")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
