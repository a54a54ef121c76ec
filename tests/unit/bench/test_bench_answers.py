"""Answers in OpenAI's shapes."""

import json
from http import HTTPStatus
from typing import Any

import pytest

from chimera_bench.engine import answers, openai
from chimera_bench.engine.answers import Answer
from chimera_bench.engine.openai import Api

USAGE = {"prompt_tokens": 4, "completion_tokens": 6, "total_tokens": 10}


def answer(api: Api, *, finish_reason: str = "stop") -> Answer:
    return Answer(api=api, id="i", model="m", created=1, prompt_tokens=4, output_tokens=6, finish_reason=finish_reason)


def events(stream: bytes) -> list[dict[str, Any]]:
    """Return the JSON events of a stream, whose form is checked on the way."""
    *frames, rest = stream.split(b"\n\n")
    assert rest == b""
    assert all(frame.startswith(b"data: ") for frame in frames)
    return [json.loads(frame.removeprefix(b"data: ")) for frame in frames if frame != b"data: [DONE]"]


@pytest.mark.parametrize("api", [Api.CHAT, Api.COMPLETIONS])
def test_every_answer_says_that_it_is_simulated(api: Api) -> None:
    """Whole or streamed, chat or completion."""
    reply = answer(api)
    stream = reply.opening() + reply.chunk("x") + reply.closing(include_usage=True)

    assert {body["system_fingerprint"] for body in (*events(stream), json.loads(reply.whole("x")))} == {"simulated"}


def test_a_whole_chat() -> None:
    """One choice with a message, its reason to end, and the token counts."""
    body = json.loads(answer(Api.CHAT, finish_reason="length").whole("some text"))

    assert body["object"] == "chat.completion"
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "some text"},
            "logprobs": None,
            "finish_reason": "length",
        }
    ]
    assert body["usage"] == USAGE


def test_a_whole_completion() -> None:
    """One choice with a text."""
    body = json.loads(answer(Api.COMPLETIONS).whole("some text"))

    assert (body["object"], body["choices"][0]["text"], body["usage"]) == ("text_completion", "some text", USAGE)


def test_a_streamed_chat() -> None:
    """The role first, then text, then the reason to end, then the counts in a chunk without choices, then the mark."""
    reply = answer(Api.CHAT)
    stream = reply.opening() + reply.chunk("some ") + reply.chunk("text") + reply.closing(include_usage=True)
    role, some, text, ending, usage = events(stream)

    assert stream.endswith(b"data: [DONE]\n\n")
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [chunk["choices"][0]["delta"]["content"] for chunk in (some, text)] == ["some ", "text"]
    assert (ending["choices"][0]["finish_reason"], some["choices"][0]["finish_reason"]) == ("stop", None)
    assert ending["choices"][0]["delta"] == {"content": ""}  # as vLLM's, which gives the last token with the reason
    assert (usage["choices"], usage["usage"]) == ([], USAGE)


def test_usage_is_streamed_only_where_asked_for() -> None:
    """As in OpenAI's API."""
    assert all("usage" not in event for event in events(answer(Api.CHAT).closing(include_usage=False)))


def test_a_streamed_completion_begins_with_its_text() -> None:
    """There is no role to announce."""
    assert answer(Api.COMPLETIONS).opening() == b""
    assert events(answer(Api.COMPLETIONS).chunk("x"))[0]["choices"][0]["text"] == "x"


def test_models_lists_every_name() -> None:
    """Clients that look for an alias find it."""
    body = json.loads(answers.models(("m", "alias"), created=1, max_tokens=8192))

    assert [entry["id"] for entry in body["data"]] == ["m", "alias"]
    assert body["data"][0]["max_model_len"] == 8192


@pytest.mark.parametrize(
    ("refusal", "status", "kind"),
    [
        (openai.unknown_model(), HTTPStatus.NOT_FOUND, "NotFoundError"),
        (openai.bad_request("a rule", param="n"), HTTPStatus.BAD_REQUEST, "BadRequestError"),
        (openai.invalid_body("a rule"), HTTPStatus.BAD_REQUEST, "Bad Request"),
        (openai.unknown_response(), HTTPStatus.NOT_FOUND, "invalid_request_error"),
        (openai.not_ready(), HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailableError"),
    ],
    ids=["unknown-model", "bad-request", "invalid-body", "unknown-response", "not-ready"],
)
def test_errors_have_the_shape_that_clients_know(refusal: openai.ApiError, status: HTTPStatus, kind: str) -> None:
    """An object `error` with message, type, param and code; the types are vLLM's."""
    error = json.loads(answers.error(refusal))["error"]

    assert (error["type"], error["code"], refusal.status) == (kind, status, status)
    assert set(error) == {"message", "type", "param", "code"}
