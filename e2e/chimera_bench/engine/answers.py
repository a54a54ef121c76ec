"""Answers in OpenAI's shapes, whole and as server-sent events; every one says that it is simulated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from chimera_bench.engine.openai import Api, ApiError

FINGERPRINT = "simulated"
DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One reply, known before its first token comes.

    Attributes:
        created: Seconds since the Unix epoch.
        finish_reason: `stop`, or `length` where the client's limit cut it.
    """

    api: Api
    id: str
    model: str
    created: int
    prompt_tokens: int
    output_tokens: int
    finish_reason: str

    def whole(self, text: str) -> bytes:
        """Return the body of an answer that is not streamed."""
        chat = {"message": {"role": "assistant", "content": text}}
        choice = self._choice(chat if self.api is Api.CHAT else {"text": text}, self.finish_reason)
        kind = "chat.completion" if self.api is Api.CHAT else "text_completion"
        return _encode(self._head(kind) | {"choices": [choice], "usage": self._usage()})

    def opening(self) -> bytes:
        """Return the event that begins a streamed chat; completions begin with their text."""
        return self._event({"delta": {"role": "assistant", "content": ""}}) if self.api is Api.CHAT else b""

    def chunk(self, text: str) -> bytes:
        """Return the event for tokens that have come."""
        return self._event({"delta": {"content": text}} if self.api is Api.CHAT else {"text": text})

    def closing(self, *, include_usage: bool) -> bytes:
        """Return the events that end a stream: the reason, the token counts where asked for, and the mark."""
        last: dict[str, Any] = {"delta": {"content": ""}} if self.api is Api.CHAT else {"text": ""}
        usage = (
            _framed(self._head(self._chunk_kind) | {"choices": [], "usage": self._usage()}) if include_usage else b""
        )
        return self._event(last, self.finish_reason) + usage + DONE

    @property
    def _chunk_kind(self) -> str:
        return "chat.completion.chunk" if self.api is Api.CHAT else "text_completion"

    def _event(self, choice: Mapping[str, Any], finish_reason: str | None = None) -> bytes:
        return _framed(self._head(self._chunk_kind) | {"choices": [self._choice(choice, finish_reason)]})

    def _choice(self, content: Mapping[str, Any], finish_reason: str | None) -> dict[str, Any]:
        return {"index": 0, **content, "logprobs": None, "finish_reason": finish_reason}

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
        }

    def _usage(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.output_tokens,
            "total_tokens": self.prompt_tokens + self.output_tokens,
        }


def models(names: tuple[str, ...], *, created: int, max_tokens: int) -> bytes:
    """Return the list of models, one entry for each name of the only one there is."""
    entries = [
        {"id": name, "object": "model", "created": created, "owned_by": FINGERPRINT, "max_model_len": max_tokens}
        for name in names
    ]
    return _encode({"object": "list", "data": entries})


def error(refusal: ApiError) -> bytes:
    """Return the body of a refusal, as vLLM and OpenAI shape it."""
    fields = {"message": str(refusal), "type": refusal.kind, "param": refusal.param, "code": int(refusal.status)}
    return _encode({"error": fields})


def _framed(body: dict[str, Any]) -> bytes:
    return b"data: " + _encode(body) + b"\n\n"
