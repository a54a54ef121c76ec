"""The real picker process over TLS, behind the real Envoy."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from aiohttp import ClientSession
from authorities import Authority
from engines import engine
from envoys import gateway, over_tls
from handshakes import client_context
from picker_processes import Picker, running, until

from chimera_router.transports import Transport

pytestmark = pytest.mark.anyio

OLD, NEW = Authority("old"), Authority("new")
ASK = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


@asynccontextmanager
async def served(
    folder: Path, *options: str | Path, client: Path | None = None
) -> AsyncIterator[tuple[Picker, ClientSession]]:
    """Run an engine, a picker and Envoy, which speaks TLS with the picker; yield a client of Envoy's."""
    async with engine("small") as address:
        picker = Picker(folder, address, *options)
        async with (
            running(picker),
            gateway(folder, picker_port=picker.grpc, adapt=partial(over_tls, client=client)) as url,
            ClientSession(url) as http,
        ):
            yield picker, http


async def ask(http: ClientSession) -> int:
    async with http.post("/v1/chat/completions", json=ASK) as response:
        await response.read()
        return response.status


async def test_start_without_a_flag_is_served_over_tls(tmp_path: Path) -> None:
    """A picker that was told nothing of TLS has a certificate of its own, which gateways accept."""
    async with served(tmp_path, "--log-level=info") as (_, http):
        assert [await ask(http) for _ in range(5)] == [200] * 5


async def test_gateway_shows_who_it_is(tmp_path: Path) -> None:
    """With client authorities Envoy is served with a certificate that one of them signed, and fails without one."""
    (tmp_path / "ca.crt").write_bytes(OLD.certificate)
    options = ("--client-ca", tmp_path / "ca.crt")

    async with served(tmp_path, *options, client=OLD.sign("gateway").write(tmp_path / "gateway")) as (_, http):
        assert await ask(http) == 200
    async with served(tmp_path, *options) as (_, http):
        assert await ask(http) == 500


@pytest.mark.parametrize("transport", list(Transport))
async def test_rotation_under_traffic_loses_nothing(tmp_path: Path, transport: Transport) -> None:
    """While requests go on, over connections that come and go, a new certificate takes over; every one is answered."""
    folder = OLD.sign().write(tmp_path / "tls")
    answers: list[int] = []

    async def traffic(http: ClientSession) -> None:
        while True:
            answers.append(await ask(http))

    options = ("--transport", transport, "--cert-path", folder)
    async with served(tmp_path, *options) as (picker, http), asyncio.TaskGroup() as group:
        tasks = [group.create_task(traffic(http)) for _ in range(4)]
        assert await trusted(picker.grpc, OLD)
        NEW.sign().write(folder)
        await until(lambda: trusted(picker.grpc, NEW))
        assert not await trusted(picker.grpc, OLD)
        answered = len(answers)
        while len(answers) < answered + 20:
            answers.append(await ask(http))
        for task in tasks:
            task.cancel()

    assert set(answers) == {200}


async def trusted(port: int, authority: Authority) -> bool:
    """Say whether a new handshake gets a certificate of this authority."""
    try:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client_context(authority.certificate), server_hostname="localhost"
        )
    except ssl.SSLError:
        return False
    writer.transport.abort()
    return True
