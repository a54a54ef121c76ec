"""What the stand-in for an engine says, in vLLM's words: a JSON object, a stream of events, a page of metrics."""

import json
from typing import Any

from chimera_bench.load import http1

ID = "chatcmpl-0123456789abcdef"
ENGINE = "x-load-engine"
"""Header of every answer: the port that it came from."""

_TEXT = "The quick brown fox jumps over the lazy dog. " * 5  # an answer of about 700 bytes
_CREATED = 1_760_000_000
_PROMPT_TOKENS, _TOKENS = 256, 64


def whole(port: int) -> bytes:
    """Return an answer in one piece."""
    message: dict[str, Any] = {"role": "assistant", "content": _TEXT, "refusal": None, "tool_calls": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop", "stop_reason": None}
    document = _object("chat.completion", [choice]) | {"usage": _usage(_TOKENS), "system_fingerprint": "stand-in"}
    return http1.answer(json.dumps(document).encode(), content_type="application/json", headers=f"{ENGINE}: {port}\r\n")


def stream_head(port: int) -> bytes:
    """Return what begins a streamed answer."""
    lines = "content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n"
    return f"HTTP/1.1 200 OK\r\n{lines}{ENGINE}: {port}\r\n\r\n".encode()


def event() -> bytes:
    """Return one token of a streamed answer."""
    choice = {"index": 0, "delta": {"content": " fox"}, "logprobs": None, "finish_reason": None}
    return http1.chunk(_event(_object("chat.completion.chunk", [choice])))


def stream_end(tokens: int) -> bytes:
    """Return what ends a streamed answer of so many tokens."""
    last = _event(_object("chat.completion.chunk", []) | {"usage": _usage(tokens)})
    return http1.chunk(last + b"data: [DONE]\n\n") + http1.LAST_CHUNK


def metrics(*, running: object, waiting: object = 0, kv_usage: object = 0.05, generated: object = 0) -> bytes:
    """Return a page with whatever is put on it, under the names that pickers read."""
    labels = 'engine="0",model_name="stand-in"'
    lines = [
        f"vllm:num_requests_running{{{labels}}} {running}",
        f"vllm:num_requests_waiting{{{labels}}} {waiting}",
        f"vllm:kv_cache_usage_perc{{{labels}}} {kv_usage}",
        f"vllm:generation_tokens_total{{{labels}}} {generated}",
        'vllm:lora_requests_info{max_lora="0",running_lora_adapters="",waiting_lora_adapters=""} 1.0',
        'vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="20000"} 1.0',
    ]
    gauges = [f"# TYPE {line.partition('{')[0]} gauge\n{line}\n" for line in lines]
    return "".join(gauges).encode()


def _object(kind: str, choices: list[Any]) -> dict[str, Any]:
    return {"id": ID, "object": kind, "created": _CREATED, "model": "stand-in", "choices": choices}


def _usage(tokens: int) -> dict[str, int]:
    total = _PROMPT_TOKENS + tokens
    return {"prompt_tokens": _PROMPT_TOKENS, "completion_tokens": tokens, "total_tokens": total}


def _event(document: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"
