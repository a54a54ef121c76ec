"""`chimera explain` against real management pages."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestServer
from click.testing import Result
from directors import FakePredictor, director
from pools import prediction
from typer.testing import CliRunner

from chimera_cli.app import app
from chimera_router.management import Management
from chimera_router.workflow.identity import tenant_digest

pytestmark = pytest.mark.anyio


@pytest.fixture
def predictor() -> FakePredictor:
    return FakePredictor(small=prediction(0.4), large=prediction(0.9))


@pytest.fixture
async def url(predictor: FakePredictor) -> AsyncIterator[str]:
    async with TestServer(Management(director(predictor), ready=lambda: True).app()) as server:
        yield str(server.make_url(""))


async def run(*arguments: str, stdin: str = "") -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["explain", *arguments], input=stdin)


async def test_table_names_every_model_and_its_verdict(url: str) -> None:
    """People see where the request would go and why not elsewhere."""
    result = await run("--url", url, "a question")

    assert result.exit_code == 0
    assert all(word in result.output for word in ("large on large-0", "small", "less-confident", "chosen"))


async def test_json_is_the_decision_itself(url: str) -> None:
    """Machines get the decision as the picker gave it, for a prompt from standard input too."""
    result = await run("--json", "--url", f"{url}/", "-", stdin="a question")

    assert (result.exit_code, json.loads(result.output)["model"]) == (0, "large")


async def test_an_application_is_explained(url: str, predictor: FakePredictor) -> None:
    """By name and tenant, or by the system message that it sends; the table says as what it is known."""
    named = await run("--url", url, "--application", "tickets", "--tenant", "acme", "a question")
    await run("--url", url, "--system", "Be brief.", "a question")
    await run("--url", url, "a question")

    assert "application unknown" in " ".join(named.output.split())
    assert [(query.application, bool(query.fingerprint)) for query in predictor.asked] == [
        ("tickets", True),
        ("", True),
        ("", False),
    ]
    assert predictor.asked[0].tenant == tenant_digest("acme")


async def test_pinned_model_is_explained(url: str) -> None:
    """A model that is asked for by name is the one."""
    result = await run("--json", "--url", url, "--model", "small", "a question")

    assert json.loads(result.output)["reason"] == "pinned"


async def test_refusal_is_one_line(url: str) -> None:
    """A model that the pool does not have ends with exit 2 and the picker's own sentence."""
    result = await run("--url", url, "--model", "nobody", "a question")

    assert result.exit_code == 2
    assert result.stderr.strip().splitlines() == [
        "The model does not exist in this pool; GET /v1/models lists those that do"
    ]


async def test_nobody_there_is_one_line() -> None:
    """An address without a picker ends with exit 1 and names the address."""
    result = await run("--url", "http://127.0.0.1:1", "a question")

    assert (result.exit_code, result.stderr.strip()) == (1, "http://127.0.0.1:1: no picker answers there")
