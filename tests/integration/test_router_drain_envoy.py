"""A picker that stops, behind the real Envoy: what is under way and what still comes is served."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from directors import director
from engines import engine
from envoys import as_rendered, gateway

from chimera_router.director import Director
from chimera_router.extproc.health import Health
from chimera_router.extproc.server import Server, drain, server
from chimera_router.scheduling.types import Coefficients
from chimera_router.transports import Transport

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

SLOW = Coefficients(base_step=0.05, per_sequence=0.0, prefill_per_token=0.0, max_num_seqs=64, kv_tokens=5_000_000)
ASK = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
PATH = "/v1/chat/completions"


@asynccontextmanager
async def listening(made: Director) -> AsyncIterator[tuple[Server, Health]]:
    """Serve a director over the picker's own transport; whoever asks for it stops it."""
    health = Health()
    running = server(Transport.NATIVE, made, health, host="127.0.0.1", port=0, certificates=None)
    await running.start()
    health.say(serving=True)
    yield running, health
    await drain(running, health, 0.0)


def beside(other: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Give Envoy a second picker, and have it ask both for their health."""

    def adapt(bootstrap: dict[str, Any]) -> dict[str, Any]:
        (_, pickers) = bootstrap["static_resources"]["clusters"]
        address = {"socket_address": {"address": "127.0.0.1", "port_value": other}}
        pickers["load_assignment"]["endpoints"][0]["lb_endpoints"].append({"endpoint": {"address": address}})
        check = {"service_name": "envoy.service.ext_proc.v3.ExternalProcessor"}
        intervals = dict.fromkeys(("interval", "no_traffic_interval", "unhealthy_interval"), "0.2s")
        often = {"timeout": "1s", **intervals, "unhealthy_threshold": 1, "healthy_threshold": 1}
        pickers["health_checks"] = [{**often, "grpc_health_check": check}]
        return bootstrap

    return adapt


async def ask(http: ClientSession) -> int:
    async with http.post(PATH, json=ASK) as response:
        await response.read()
        return response.status


async def test_answer_that_outlasts_the_drain_goes_on(tmp_path: Path) -> None:
    """When the time is over the picker leaves the exchange in good order, and Envoy passes the rest of the answer."""
    async with engine("small", SLOW, tokens=30) as small, engine("large", SLOW, tokens=30) as large:
        made = director(small=small, large=large, clock=time.monotonic)
        async with (
            listening(made) as (running, health),
            gateway(tmp_path, picker_port=running.port) as url,
            ClientSession(url) as http,
            http.post(PATH, json={**ASK, "stream": True}) as response,
        ):
            first = await response.content.readline()
            await drain(running, health, 0.3)
            rest = (await response.read()).decode()

    assert first.startswith(b"data:")
    assert rest.count('"content"') > 20
    assert rest.rstrip().endswith("[DONE]")
    assert made.metrics.registry.get_sample_value("chimera_streams") == 0


async def test_gateway_with_another_picker_loses_nothing(tmp_path: Path) -> None:
    """Under traffic that goes on, one of two pickers stops: every request is answered, and the other takes over."""
    async with engine("small") as small, engine("large") as large:
        made = director(small=small, large=large, clock=time.monotonic)
        async with (
            listening(made) as (one, health),
            listening(made) as (other, _),
            gateway(tmp_path, picker_port=one.port, adapt=beside(other.port)) as url,
            ClientSession(url) as http,
        ):
            answers: list[int] = []
            traffic = [asyncio.create_task(_keep_asking(http, answers)) for _ in range(8)]
            await _until(lambda: len(answers) > 50)
            await drain(one, health, 10.0)
            answered = len(answers)
            await _until(lambda: len(answers) > answered + 50)
            for task in traffic:
                task.cancel()

    assert set(answers) == {200}


async def test_gateway_that_keeps_coming_is_served_until_the_end(tmp_path: Path) -> None:
    """Where there is no other picker requests are answered for as long as the drain may take."""
    async with engine("small") as small, engine("large") as large:
        made = director(small=small, large=large, clock=time.monotonic)
        async with (
            listening(made) as (running, health),
            gateway(tmp_path, picker_port=running.port, adapt=as_rendered) as url,
            ClientSession(url) as http,
        ):
            answers: list[tuple[float, int]] = []

            async def keep_asking() -> None:
                while True:
                    began = time.monotonic()
                    answers.append((began, await ask(http)))

            traffic = [asyncio.create_task(keep_asking()) for _ in range(8)]
            await _until(lambda: len(answers) > 50)
            began = time.monotonic()
            await drain(running, health, 4.0)
            for task in traffic:
                task.cancel()

    served = [status for at, status in answers if at < began + 2.5]
    assert len(served) > 100
    assert set(served) == {200}


async def _keep_asking(http: ClientSession, answers: list[int]) -> None:
    while True:
        answers.append(await ask(http))


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - there is nothing that tells
            await asyncio.sleep(0.01)
