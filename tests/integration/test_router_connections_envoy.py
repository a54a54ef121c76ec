"""Connections between the real Envoy and the picker process that come and go, ping and are many."""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from engines import engine
from envoys import gateway, over_tls
from picker_processes import Picker, running, until

pytestmark = pytest.mark.anyio

ASK = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}


def restless(bootstrap: dict[str, Any], *, tls: bool) -> dict[str, Any]:
    """Have Envoy ping every connection with the picker ten times a second, and use each for a few requests only."""
    _, picker = bootstrap["static_resources"]["clusters"]
    (options,) = picker["typed_extension_protocol_options"].values()
    keepalive = {"interval": "0.1s", "timeout": "5s", "interval_jitter": {"value": 0}}
    options["explicit_http_config"]["http2_protocol_options"] = {"connection_keepalive": keepalive}
    options["common_http_protocol_options"] = {"max_requests_per_connection": 7}
    return over_tls(bootstrap) if tls else bootstrap


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_restless_gateway_is_served(tmp_path: Path, tls: bool) -> None:  # noqa: FBT001 - a parameter
    """Four workers with connections of seven requests each, and pings in between: every request is answered."""
    async with engine("small") as address:
        picker = Picker(tmp_path, address, "--log-level=info" if tls else "--insecure")
        adapt = partial(restless, tls=tls)
        async with (
            running(picker),
            gateway(tmp_path, picker_port=picker.grpc, adapt=adapt, workers=4) as url,
            ClientSession(url) as http,
        ):
            answers = await asyncio.gather(*(_asks(http, 20) for _ in range(16)))
            await until(partial(_says, picker, "chimera_streams 0.0"))
            quiet = sum(float(line.split()[1]) for line in await _lines(picker, "chimera_connections "))

    assert {status for each in answers for status in each} == {200}
    assert quiet <= 4  # one of each worker at most: the others were used up
    assert "ext_proc" not in (tmp_path / "envoy.log").read_text()


async def test_gateway_pings_an_idle_connection_for_long(tmp_path: Path) -> None:
    """Pings without requests in between are no flood: the same connection serves before and after them."""
    async with engine("small") as address:
        picker = Picker(tmp_path, address, "--insecure")
        async with (
            running(picker),
            gateway(tmp_path, picker_port=picker.grpc, adapt=partial(restless, tls=False)) as url,
            ClientSession(url) as http,
        ):
            before = await _asks(http, 1)
            await asyncio.sleep(2.0)
            assert await _says(picker, "chimera_connections 1.0")
            after = await _asks(http, 1)

    assert before + after == [200, 200]


async def _asks(http: ClientSession, times: int) -> list[int]:
    answers = []
    for turn in range(times):
        async with http.post("/v1/chat/completions", json={**ASK, "stream": turn % 2 == 0}) as response:
            await response.read()
            answers.append(response.status)
    return answers


async def _lines(picker: Picker, start: str) -> list[str]:
    return [line for line in (await picker.metrics()).splitlines() if line.startswith(start)]


async def _says(picker: Picker, line: str) -> bool:
    return line in (await picker.metrics()).splitlines()
