"""Two models that real vLLM serves, as one endpoint: `chimera up --engine vllm`."""

import aiohttp
import pytest
from real_engines import CHAT, Served, busy, chat, events

from chimera_router import wire

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("name", ["tiny", "less-tiny", "tiny-alias"])
async def test_a_model_that_is_named_answers(real: Served, http: aiohttp.ClientSession, name: str) -> None:
    """Through Envoy and the picker, which puts its priority into the body; an alias is the model's own."""
    async with http.post(f"{real.url}{CHAT}", json=chat(name, tokens=5)) as response:
        answer = await response.json()

    assert (response.status, response.headers[wire.MODEL]) == (200, name.removesuffix("-alias"))
    assert answer["usage"]["completion_tokens"] == 5
    assert answer["system_fingerprint"].startswith("vllm-0.32.0")


async def test_the_picker_chooses_for_auto(real: Served, http: aiohttp.ClientSession) -> None:
    """One of the two answers, and says which."""
    async with http.post(f"{real.url}{CHAT}", json=chat("auto", tokens=5)) as response:
        answer = await response.json()

    assert response.headers[wire.MODEL] in {"tiny", "less-tiny"}
    assert answer["model"] == response.headers[wire.MODEL]


@pytest.mark.parametrize("name", ["tiny", "less-tiny", "auto"])
async def test_a_stream_comes_piece_by_piece(real: Served, http: aiohttp.ClientSession, name: str) -> None:
    """All tokens, the reason and the counts pass gateway and picker."""
    body = chat(name, tokens=200, stream=True, stream_options={"include_usage": True})
    async with http.post(f"{real.url}{CHAT}", json=body) as response:
        text = await response.text()
    found = events(text)

    assert text.endswith("data: [DONE]\n\n")
    assert found[-1]["usage"]["completion_tokens"] == 200
    assert [choice["finish_reason"] for each in found for choice in each["choices"]][-1] == "length"
    assert len(found) > 4  # a busy vLLM puts tokens together


async def test_a_response_is_gone_on_from(real: Served, http: aiohttp.ClientSession) -> None:
    """On the engine that keeps it, which vLLM does where VLLM_ENABLE_RESPONSES_API_STORE is set, as in this pool."""
    body = {"model": "auto", "input": "Hello", "max_output_tokens": 4}
    for _ in range(3):
        async with http.post(f"{real.url}/v1/responses", json=body) as response:
            answer = await response.json()
        assert response.status == 200, answer
        body["previous_response_id"] = answer["id"]


async def test_the_picker_believes_what_the_engines_say(real: Served, http: aiohttp.ClientSession) -> None:
    """A request that it did not send shows on its status page: read from vLLM's metrics."""
    async with busy(http, real.engines["tiny"], chat("tiny", tokens=1000), clients=1):
        await _await_running(http, real.management, "tiny")


async def _await_running(http: aiohttp.ClientSession, management: str, name: str) -> None:
    while True:
        async with http.get(f"{management}/chimera/v1/status") as response:
            models = {model["model"]: model for model in (await response.json())["models"]}
        if models[name]["running"] == 1:
            return
