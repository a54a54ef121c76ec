"""`chimera explain` against real management pages."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from access import FakeAuthority, gate, open_gate
from aiohttp.test_utils import TestServer
from authorities import Authority
from click.testing import Result
from directors import FakePredictor, director
from handshakes import Serving
from pools import prediction
from typer.testing import CliRunner

from chimera_cli.app import app
from chimera_router.management.pages import Management
from chimera_router.management.server import serve
from chimera_router.workflow.identity import tenant_digest

pytestmark = pytest.mark.anyio


@pytest.fixture
def predictor() -> FakePredictor:
    return FakePredictor(small=prediction(0.4), large=prediction(0.9))


@pytest.fixture
async def url(predictor: FakePredictor) -> AsyncIterator[str]:
    async with TestServer(Management(director(predictor), unready=lambda: "", gate=open_gate()).app()) as server:
        yield str(server.make_url(""))


async def run(*arguments: str, stdin: str = "") -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, ["explain", *arguments], input=stdin)


@pytest.fixture
async def guarded(predictor: FakePredictor, tmp_path: Path) -> AsyncIterator[tuple[str, ...]]:
    """Serve pages over TLS to whoever has the token, and yield how to reach them."""
    authority = Authority("ca")
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    pages = Management(director(predictor), unready=lambda: "", gate=gate(FakeAuthority(good="*")))
    certificates = Serving(authority.sign()).certificates
    server = await serve(pages, host="127.0.0.1", port=0, certificates=certificates)
    yield "--url", f"https://localhost:{server.port}", "--ca-file", str(tmp_path / "ca.crt"), "a question"
    await server.stop()


async def test_token_and_authority_are_told(guarded: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """A picker that asks who calls is told a token, by option or environment; its certificate is verified."""
    told = await run(*guarded, "--token", "good")
    refused = await run(*guarded)
    monkeypatch.setenv("CHIMERA_TOKEN", "good")
    environment = await run(*guarded)
    untrusted = await run(*guarded[:2], "a question")

    assert (told.exit_code, environment.exit_code) == (0, 0)
    assert (refused.exit_code, "bearer" in refused.output.lower()) == (2, True)
    assert (untrusted.exit_code, "see --ca-file" in untrusted.output) == (1, True)


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
