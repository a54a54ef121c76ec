"""Answers that the picker does not look at, through the real Envoy: they pass untouched, and their end is known."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout
from directors import FakePredictor, director
from engines import ANSWER_TOKENS, engine
from envoys import served
from pools import prediction

from chimera_router import wire
from chimera_router.director import Director
from chimera_router.protocol.events import Accounting
from chimera_router.scheduling.types import Coefficients
from chimera_router.transports import Transport

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

CHAT = "/v1/chat/completions"
TASK = {"role": "user", "content": "What is 17 times 23? Think step by step."}
SLOW = Coefficients(base_step=0.03, per_sequence=0.0, prefill_per_token=0.0, max_num_seqs=64, kv_tokens=5_000_000)
ANSWERS = 0.03 * ANSWER_TOKENS  # seconds

TRANSPORTS = pytest.mark.parametrize("transport", list(Transport))


@dataclass
class Stack:
    http: ClientSession
    director: Director
    predictor: FakePredictor

    def in_flight(self) -> int:
        return sum(state.load.requests for state in self.director.snapshot().endpoints)

    async def ask(self, *messages: dict[str, str], stream: bool = True, **headers: str) -> tuple[str, dict[str, str]]:
        body = {"model": "small", "messages": messages or [TASK], "stream": stream}
        async with self.http.post(CHAT, json=body, headers=headers) as response:
            assert response.status == 200
            return await response.text(), dict(response.headers)


@asynccontextmanager
async def stack(
    folder: Path,
    *,
    mode: Accounting | None,
    gateway: str,
    transport: Transport = Transport.NATIVE,
    adapt: Callable[[dict[str, Any]], dict[str, Any]] = lambda bootstrap: bootstrap,
) -> AsyncIterator[Stack]:
    """Run one slow engine behind picker and Envoy, each told how much of answers is to be looked at."""
    loop = asyncio.get_running_loop()
    predictor = FakePredictor(small=prediction(0.9), large=prediction(0.1))
    async with engine("small", SLOW) as address:
        made = director(predictor, small=address, clock=loop.time)
        made.pool = replace(made.pool, settings=replace(made.pool.settings, accounting=mode))
        async with (
            served(made, folder, transport=transport, accounting=gateway, adapt=adapt) as url,
            ClientSession(url, timeout=ClientTimeout(total=20)) as http,
        ):
            yield Stack(http, made, predictor)


async def eventually(condition: Callable[[], object], expected: object, *, within: float = 2.0) -> None:
    for _ in range(int(within / 0.01)):
        if condition() == expected:
            break
        await asyncio.sleep(0.01)
    assert condition() == expected


def metric(made: Director, name: str, **labels: str) -> float | None:
    return made.metrics.registry.get_sample_value(name, labels)


@TRANSPORTS
@pytest.mark.parametrize("gateway", ["Skip", "Headers"])
async def test_the_end_of_the_stream_is_the_end_of_the_answer(
    tmp_path: Path, gateway: str, transport: Transport
) -> None:
    """Envoy that is asked for no bodies but for trailers keeps the stream for exactly as long as the answer lasts."""
    async with stack(tmp_path, mode=Accounting(gateway.lower()), gateway=gateway, transport=transport) as running:
        asking = asyncio.create_task(running.ask())
        await eventually(running.in_flight, 1)
        await asyncio.sleep(ANSWERS / 2)
        during = running.in_flight(), metric(running.director, "chimera_streams")
        text, headers = await asking
        await eventually(running.in_flight, 0, within=0.2)

        assert during == (1, 1)
        assert text.count("data: {") >= ANSWER_TOKENS
        assert (wire.MODEL in headers) == (gateway == "Headers")
        assert len(running.director.unseen) == 0
        took = metric(running.director, "chimera_request_seconds_sum", model="small")
        assert took == pytest.approx(ANSWERS, rel=0.5)


@TRANSPORTS
async def test_the_access_log_ends_what_the_picker_has_left(tmp_path: Path, transport: Transport) -> None:
    """The picker closes the stream after the request; Envoy's log says when the answer had ended."""
    async with stack(tmp_path, mode=Accounting.SKIP, gateway="Auto", transport=transport) as running:
        asking = asyncio.create_task(running.ask())
        await eventually(lambda: len(running.director.unseen), 1)
        during = running.in_flight(), metric(running.director, "chimera_streams")
        await asking
        await eventually(running.in_flight, 0)

        assert during == (1, 0)
        assert len(running.director.unseen) == 0
        assert metric(running.director, "chimera_request_seconds_count", model="small") == 1
        took = metric(running.director, "chimera_request_seconds_sum", model="small")
        assert took == pytest.approx(ANSWERS, rel=0.5)


@pytest.mark.parametrize("gateway", ["Skip", "Auto"])
async def test_a_client_that_goes_away_leaves_nothing(tmp_path: Path, gateway: str) -> None:
    """In the middle of an answer that nobody looks at: its place is given back as soon as the gateway knows."""
    async with stack(tmp_path, mode=Accounting.SKIP, gateway=gateway) as running:
        asking = asyncio.create_task(running.ask())
        await eventually(running.in_flight, 1)
        await asyncio.sleep(ANSWERS / 3)
        asking.cancel()
        await eventually(running.in_flight, 0, within=1.0)

        assert len(running.director.unseen) == 0


async def test_the_next_stage_tells_how_long_the_last_answer_was(tmp_path: Path) -> None:
    """What was not seen is learned from the request that sends it back; its workflow is recognised by what it asked."""
    async with stack(tmp_path, mode=Accounting.SKIP, gateway="Skip") as running:
        text, _ = await running.ask(stream=False)
        said = json.loads(text)["choices"][0]["message"]["content"]
        await eventually(running.in_flight, 0)
        await running.ask(TASK, {"role": "assistant", "content": said}, {"role": "user", "content": "Are you sure?"})

        (seen,) = running.predictor.seen
        assert (seen.model, seen.stage, seen.output_tokens) == ("small", 0, len(said) // 4 + 1)
        later = running.predictor.asked[-1]
        assert (later.stage, later.tokens_so_far, later.last_tokens) == (1, seen.output_tokens, seen.output_tokens)


async def test_a_busy_picker_looks_at_some_answers_only(tmp_path: Path) -> None:
    """Of twenty answers a quarter of them, spread evenly; all are known to have ended."""
    async with stack(tmp_path, mode=None, gateway="Auto") as running:
        running.director.sampling.share = 0.25
        answers = await asyncio.gather(*(running.ask() for _ in range(20)))
        await eventually(running.in_flight, 0)

        assert sum(wire.MODEL in headers for _, headers in answers) == 5
        assert metric(running.director, "chimera_output_tokens_count", model="small") == 5
        assert metric(running.director, "chimera_request_seconds_count", model="small") == 20


async def test_without_any_signal_the_engine_tells(tmp_path: Path) -> None:
    """No log, no stream that lasts: what the engine does not have any more is over."""

    def silent(bootstrap: dict[str, Any]) -> dict[str, Any]:
        listener = bootstrap["static_resources"]["listeners"][0]
        del listener["filter_chains"][0]["filters"][0]["typed_config"]["access_log"]
        return bootstrap

    async with stack(tmp_path, mode=Accounting.SKIP, gateway="Auto", adapt=silent) as running:
        await running.ask()
        before = running.in_flight()
        address = running.director.datastore.endpoints[0].address
        running.director.unseen.counted(address, there=0, own=1, at=asyncio.get_running_loop().time())

        assert (before, running.in_flight()) == (1, 0)
