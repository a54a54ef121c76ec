"""Hooks of pytest by which each asynchronous test and fixture runs in a task of its own.

anyio runs all of them in one task, for as long as the event loop lives. A task group whose task fails cancels that one
task, whoever runs in it by then, and leaves it counted as cancelled (CPython before 3.13), which aiohttp takes for a
cancellation of its own: one failure would be the failure of every later test.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any

import pytest


class EndedByCancellationError(Exception):
    """A test or a fixture was cancelled by something of its own, and did not say what had failed."""


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Give a test its task."""
    if iscoroutinefunction(pyfuncitem.obj):
        pyfuncitem.obj = _in_own_task(pyfuncitem.obj)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
    """Give a fixture its task, in which it ends, too."""
    function = fixturedef.func
    if isasyncgenfunction(function):
        fixturedef.func = _generated_in_own_task(function)
    elif iscoroutinefunction(function):
        fixturedef.func = _in_own_task(function)
    try:
        return (yield)
    finally:
        fixturedef.func = function


def _in_own_task(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(function)
    async def run(**arguments: object) -> object:
        return await _ended(asyncio.ensure_future(function(**arguments)))

    return run


def _generated_in_own_task(function: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
    @wraps(function)
    async def run(**arguments: object) -> AsyncIterator[object]:
        given, over = asyncio.get_running_loop().create_future(), asyncio.Event()

        async def live() -> None:
            async with asynccontextmanager(function)(**arguments) as value:
                given.set_result(value)
                await over.wait()

        task = asyncio.ensure_future(live())
        await asyncio.wait({task, given}, return_when=asyncio.FIRST_COMPLETED)
        if given.done():
            yield given.result()
        over.set()
        await _ended(task)

    return run


async def _ended(task: asyncio.Future[Any]) -> object:
    """Return what a task has come to, whose own cancellation is a failure like any other."""
    try:
        await asyncio.wait([task])
    finally:
        task.cancel()
    if task.cancelled():
        raise EndedByCancellationError
    return task.result()
