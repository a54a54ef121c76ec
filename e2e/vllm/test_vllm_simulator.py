"""The simulator held against real vLLM: each answer's fields and types, and every family of metrics.

All that differs is in `ALLOWED` with its reason, or fails; so does what is allowed and does not differ. The table goes
to out/e2e/vllm/differences.md.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from real_engines import CHAT, Served, events, page

from chimera_vllm.comparison import Difference, Shape, differences, shape, table, unexpected, unneeded

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(1800)]

TABLE = Path("out/e2e/vllm/differences.md")
COMPLETIONS, RESPONSES = "/v1/completions", "/v1/responses"
MESSAGES = [{"role": "user", "content": "Hello"}]
TOO_LONG = [{"role": "user", "content": "x" * 100_000}]
FOUR = {"max_tokens": 4, "ignore_eos": True}
# Fewer tokens of so random a model may be no text at all.
RESPONSE = {"model": "tiny", "input": "Hello", "max_output_tokens": 32, "temperature": 0}
STREAM = {"stream": True, "stream_options": {"include_usage": True}}

ASKED: Mapping[str, tuple[str, str, dict[str, Any] | bytes | None]] = {
    "health": ("GET", "/health", None),
    "models": ("GET", "/v1/models", None),
    "chat": ("POST", CHAT, {"model": "tiny", "messages": MESSAGES, **FOUR}),
    "chat without a model": ("POST", CHAT, {"messages": MESSAGES, **FOUR}),
    "streamed chat": ("POST", CHAT, {"model": "tiny", "messages": MESSAGES, **FOUR, **STREAM}),
    "completion": ("POST", COMPLETIONS, {"model": "tiny", "prompt": "Hello", **FOUR}),
    "streamed completion": ("POST", COMPLETIONS, {"model": "tiny", "prompt": "Hello", **FOUR, **STREAM}),
    "response": ("POST", RESPONSES, RESPONSE),
    "streamed response": ("POST", RESPONSES, {**RESPONSE, "stream": True}),
    "unknown model": ("POST", CHAT, {"model": "other", "messages": MESSAGES}),
    "no JSON": ("POST", CHAT, b"{"),
    "no messages": ("POST", CHAT, {"model": "tiny"}),
    "too long": ("POST", CHAT, {"model": "tiny", "messages": TOO_LONG}),
    "unknown response": ("POST", RESPONSES, {"model": "tiny", "input": "Hello", "previous_response_id": "resp_none"}),
    "unknown path": ("POST", "/v1/nowhere", {}),
    "wrong method": ("GET", CHAT, None),
}
"""By the name of the answer: what is asked."""

ALLOWED: Mapping[str, str] = {
    "* | null | –": "null where nobody asked for it; clients read a field that is not there as null",
    "*system_fingerprint | – | string": "every event and every response says that it is simulated",
    "models: data[].root | string | –": "the simulator has no weights",
    "models: data[].permission | array | –": "what OpenAI's API once had",
    **{
        f"*response*: *{field} | {kind} | –": "the request's own settings or their defaults"
        for field, kind in {
            "background": "boolean",
            "frequency_penalty": "number",
            "max_output_tokens": "number",
            "presence_penalty": "number",
            "service_tier": "string",
            "temperature": "number",
            "top_p": "number",
            "truncation": "string",
        }.items()
    },
    "*response*: *usage.*put_tokens_details.*": "counts of tools and turns, which the simulator has not",
    "*response.content_part.added: part.logprobs | array | –": "no logprobs are asked for",
    "no *: error.param | string | null": "the field stands in the message",
    "metrics: vllm:cache_config_info | *": "all settings of the cache; only the size of its blocks is read",
    **{
        f"metrics: vllm:{family} | * | –": "nothing in Chimera reads it"
        for family in (
            "admission_rejections",
            "engine_sleep_state",
            "estimated_*_per_gpu",
            "external_prefix_cache_*",
            "inter_token_latency_seconds",
            "iteration_tokens_total",
            "mm_cache_*",
            "num_requests_waiting_by_reason",
            "prompt_tokens_by_source",
            "prompt_tokens_cached",
            "prompt_tokens_cached_by_source",
            "request_decode_time_seconds",
            "request_generation_tokens",
            "request_inference_time_seconds",
            "request_max_num_generation_tokens",
            "request_num_preemptions",
            "request_params_*",
            "request_prefill_*",
            "request_prompt_tokens",
        )
    },
}
"""Patterns of differences (`Difference.__str__`), and why the simulator may differ so."""


async def test_what_differs_is_known(real: Served, simulated: Served, http: aiohttp.ClientSession) -> None:
    """Answers and metrics, by names and types."""
    found = [
        *[each for name in ASKED for each in await _answers(http, name, real, simulated)],
        *await _metrics(http, real, simulated),
    ]
    _keep(table(found, ALLOWED))

    assert unexpected(found, ALLOWED) == []
    assert unneeded(found, ALLOWED) == []


def _keep(text: str) -> None:
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text(text)


async def _answers(http: aiohttp.ClientSession, name: str, real: Served, simulated: Served) -> Iterable[Difference]:
    shapes = [await _parts(http, name, served.engines["tiny"]) for served in (real, simulated)]
    return [
        each
        for part in sorted(shapes[0].keys() | shapes[1].keys())
        for each in differences(part, real=shapes[0].get(part, {}), simulated=shapes[1].get(part, {}))
    ]


async def _parts(http: aiohttp.ClientSession, name: str, url: str) -> Mapping[str, Shape]:
    """Return the shapes of an answer: its head, and its body or the kinds of its events."""
    method, path, body = ASKED[name]
    sent = {"data": body} if isinstance(body, bytes) else {"json": body}
    async with http.request(method, f"{url}{path}", headers={"Content-Type": "application/json"}, **sent) as response:
        text = await response.text()
        head = {"status": frozenset({str(response.status)})}
        if text:
            head["content-type"] = frozenset({response.content_type})
    bodies = _by_kind(name, text) if response.content_type == "text/event-stream" else {name: _whole(text)}
    return {f"{name}, head": head, **bodies}


def _whole(text: str) -> Shape:
    """Return the shape of a body; an error's type counts by its value, since clients look at it."""
    if not text:
        return {}
    body = json.loads(text)
    found = dict(shape(body))
    if "error" in body:
        found["error.type"] = frozenset({f"`{body['error']['type']}`"})
    return found


def _by_kind(name: str, text: str) -> Mapping[str, Shape]:
    kinds: dict[str, list[Any]] = {}
    for event in events(text):
        kinds.setdefault(f"{name}, {_kind(event)}", []).append(event)
    return {kind: shape(*found) for kind, found in kinds.items()}


def _kind(event: Mapping[str, Any]) -> str:
    """Return what an event is of a stream: its own word for it, or what its chunk is there for."""
    if "type" in event:
        return str(event["type"])
    if not event["choices"]:
        return "usage"
    (choice,) = event["choices"]
    if choice["finish_reason"]:
        return "ending"
    return "opening" if "role" in choice.get("delta", {}) else "text"


async def _metrics(http: aiohttp.ClientSession, real: Served, simulated: Served) -> Iterable[Difference]:
    shapes = [_families(await page(http, served.engines["tiny"])) for served in (real, simulated)]
    return differences("metrics", real=shapes[0], simulated=shapes[1])


def _families(page_: bytes) -> Shape:
    """Return the type and the labels of each family of the engine's own."""
    return {
        family.name: frozenset({f"{family.type} of {', '.join(sorted(set(sample.labels) - {'le'}))}"})
        for family in text_string_to_metric_families(page_.decode())
        if family.name.startswith("vllm:") and not family.name.endswith("_created")
        for sample in family.samples
    }
