"""What one asynchronous test or fixture breaks is broken for itself alone."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SUPPORT = Path(__file__).parents[1] / "support"
CONFTEST = """
import asyncio
import pytest
from own_tasks import pytest_fixture_setup, pytest_pyfunc_call

@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"

@pytest.fixture(scope="session", autouse=True)
async def one_loop(anyio_backend):
    pass

@pytest.fixture(scope="module")
async def group():
    async with asyncio.TaskGroup() as group:
        yield group

@pytest.fixture
async def number():
    return 23
"""


def outcomes(pytester: pytest.Pytester, *tests: str) -> dict[str, int]:
    """Run tests in a pytest of their own; return how many passed, failed and so on."""
    pytester.makeini(f"[pytest]\npythonpath = {SUPPORT}")
    pytester.makeconftest(CONFTEST)
    head = "import asyncio, pytest\npytestmark = pytest.mark.anyio\n"
    pytester.makepyfile(**{f"test_{number}": head + test for number, test in enumerate(tests)})
    return pytester.runpytest_subprocess("-p", "no:hypothesispytest").parseoutcomes()


AFTERWARDS = """
async def test_next(number):
    await asyncio.sleep(0)
    assert number == 23
"""


def test_a_test_that_is_cancelled_fails(pytester: pytest.Pytester) -> None:
    """Those after it run as if nothing had been."""
    cancelled = """
async def test_cancelled():
    asyncio.current_task().cancel()
    await asyncio.sleep(1)
"""

    assert outcomes(pytester, cancelled, AFTERWARDS) == {"failed": 1, "passed": 1}


def test_a_group_of_a_fixture_fails_with_its_fixture(pytester: pytest.Pytester) -> None:
    """What waits in it is cancelled, and whose it was is told when the fixture ends."""
    failing = """
async def fail():
    raise OSError

async def test_starts_it(group):
    group.create_task(fail())

async def test_does_not_know_of_it(group):
    await asyncio.sleep(0)
"""

    assert outcomes(pytester, failing, AFTERWARDS) == {"passed": 3, "errors": 1}


def test_a_fixture_that_fails_at_once_is_an_error(pytester: pytest.Pytester) -> None:
    """Before it gave anything; those after it run."""
    failing = """
@pytest.fixture
async def broken():
    raise OSError
    yield

async def test_asks_for_it(broken):
    pass
"""

    assert outcomes(pytester, failing, AFTERWARDS) == {"errors": 1, "passed": 1}
