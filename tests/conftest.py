"""What every test shares: asyncio for coroutines, and hypothesis without a deadline on a shared machine."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import wraps
from inspect import iscoroutinefunction

import pytest
import structlog
from hypothesis import settings

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


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Give each test a task of its own.

    A task group whose task fails leaves its caller counted as cancelled (CPython before 3.13), and aiohttp takes any
    later cancellation of its own for one of that caller: a single task for all tests would end with the wrong one.
    """
    if iscoroutinefunction(pyfuncitem.obj):
        pyfuncitem.obj = _in_own_task(pyfuncitem.obj)


def _in_own_task(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @wraps(test)
    async def run(**arguments: object) -> None:
        await asyncio.ensure_future(test(**arguments))

    return run
