"""Answers of the Responses API, whole and as server-sent events, and the memory they are kept in.

Like vLLM's, an engine keeps its responses in its own memory: no other one can go on from them.
"""

import itertools
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from chimera_bench.engine.prompts import Message

# Responses kept; the oldest go first. Workflows of a bench end long before.
KEPT = 10_000

_encode = msgspec.json.Encoder().encode


class KeptResponses:
    """Conversations up to a response, by its id."""

    def __init__(self) -> None:
        self._messages_of: OrderedDict[str, tuple[Message, ...]] = OrderedDict()

    def keep(self, response_id: str, messages: Sequence[Message]) -> None:
        """Remember a conversation that ends with a response."""
        self._messages_of[response_id] = tuple(messages)
        if len(self._messages_of) > KEPT:
            self._messages_of.popitem(last=False)

    def history(self, response_id: str) -> tuple[Message, ...] | None:
        """Return the conversation that ends with a response; None where it is not kept."""
        return self._messages_of.get(response_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One response, known before its first token comes; every form of it says that it is simulated.

    Attributes:
        created: Seconds since the Unix epoch.
        finish_reason: `stop`, or `length` where the client's limit cut it.
        text: All that it will say.
    """

    id: str
    model: str
    created: int
    prompt_tokens: int
    output_tokens: int
    finish_reason: str
    text: str
    previous: str | None = None
    _sequence: "itertools.count[int]" = field(default_factory=itertools.count)

    def whole(self, _text: str) -> bytes:
        """Return the body of a response that is not streamed."""
        return _encode(self._response(self._ending))

    def opening(self) -> bytes:
        """Return the events that begin a stream."""
        begun = {"response": self._response("in_progress")}
        item = {"output_index": 0, "item": self._item("in_progress", [])}
        part = self._place() | {"part": _part("")}
        return (
            self._event("response.created", begun)
            + self._event("response.in_progress", begun)
            + self._event("response.output_item.added", item)
            + self._event("response.content_part.added", part)
        )

    def chunk(self, text: str) -> bytes:
        """Return the event for tokens that have come."""
        return self._event("response.output_text.delta", self._place() | {"delta": text, "logprobs": []})

    def closing(self, *, include_usage: bool) -> bytes:  # noqa: ARG002 - a response always has its counts
        """Return the events that end a stream: all that was said, part by part, and the response as a whole."""
        done = self._place() | {"text": self.text, "logprobs": []}
        item = {"output_index": 0, "item": self._item("completed", [_part(self.text)])}
        return (
            self._event("response.output_text.done", done)
            + self._event("response.content_part.done", self._place() | {"part": _part(self.text)})
            + self._event("response.output_item.done", item)
            # As in vLLM 0.32, of one that was cut too: that stands in the response.
            + self._event("response.completed", {"response": self._response(self._ending)})
        )

    @property
    def _ending(self) -> str:
        return "incomplete" if self.finish_reason == "length" else "completed"

    def _event(self, kind: str, fields: Mapping[str, Any]) -> bytes:
        body = {"type": kind, "sequence_number": next(self._sequence), **fields}
        return b"event: " + kind.encode() + b"\ndata: " + _encode(body) + b"\n\n"

    def _place(self) -> dict[str, Any]:
        return {"item_id": f"msg_{self.id}", "output_index": 0, "content_index": 0}

    def _item(self, status: str, content: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {
            "id": f"msg_{self.id}",
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _response(self, status: str) -> dict[str, Any]:
        ended = status != "in_progress"
        cut = {"reason": "max_output_tokens"} if status == "incomplete" else None
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created,
            "model": self.model,
            "status": status,
            "incomplete_details": cut,
            "output": [self._item("completed", [_part(self.text)])] if ended else [],
            "parallel_tool_calls": True,
            "previous_response_id": self.previous,
            "system_fingerprint": "simulated",
            "tool_choice": "auto",
            "tools": [],
            "usage": self._usage() if ended else None,
        }

    def _usage(self) -> dict[str, Any]:
        return {
            "input_tokens": self.prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": self.prompt_tokens + self.output_tokens,
        }


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}
