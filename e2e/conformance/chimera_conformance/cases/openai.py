"""Pickers that read OpenAI's bodies: what they refuse, and in which words."""

import json

from chimera_conformance import answers as came
from chimera_conformance import sources, wire
from chimera_conformance.answers import Answers
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.picker import ROUTE_ENDED, ROUTED, Picker
from chimera_conformance.verdicts import assume, require

NOT_JSON = b"no healthy upstream"
BAD_REQUEST = 400
UNAVAILABLE = 503


@case(Level.MUST, Profile.OPENAI, sources.LLM_D_TESTS)
async def invalid_json_is_400(picker: Picker) -> None:
    """A body that is not JSON is answered with 400."""
    _require_refused(await _asked(picker, NOT_JSON))


@case(Level.MUST, Profile.OPENAI, sources.LLM_D_TESTS)
async def missing_model_is_400(picker: Picker) -> None:
    """A body without a model is answered with 400."""
    _require_refused(await _asked(picker, b'{"messages":[{"role":"user","content":"hi"}]}'))


@case(Level.MUST, Profile.OPENAI, sources.GIE_ERRORS)
async def wrong_type_of_model_is_400(picker: Picker) -> None:
    """A body whose model is no text is answered with 400."""
    _require_refused(await _asked(picker, b'{"model":7,"messages":[{"role":"user","content":"hi"}]}'))


@case(Level.MUST, Profile.OPENAI, sources.GIE_ERRORS)
async def empty_body_is_400(picker: Picker) -> None:
    """A body of no bytes is answered with 400."""
    _require_refused(await _asked(picker, b""))


@case(Level.SHOULD, Profile.OPENAI, sources.OPENAI)
async def post_without_body_is_400(picker: Picker) -> None:
    """A POST whose headers end the request is answered with 400, and not sent to an engine without a look."""
    answers = await picker.ask(picker.chat(body=b"").bare(), ROUTED)
    _require_refused(answers)


@case(Level.MUST, Profile.OPENAI, sources.OPENAI)
async def completions_are_routed(picker: Picker) -> None:
    """The legacy completions API is routed as chats are."""
    body = json.dumps({"model": picker.target.model, "prompt": "Say hello.", "max_tokens": 8}).encode()
    answers = await picker.ask(picker.chat(body=body, path=wire.COMPLETIONS).whole(), ROUTE_ENDED)
    require(answers.routed, f"came: {answers.outline()}")


@case(Level.MUST, Profile.OPENAI, sources.OPENAI)
async def streams_are_routed(picker: Picker) -> None:
    """A request for an event stream is routed, and still asks for one."""
    call = picker.chat().with_json(stream=True, stream_options={"include_usage": True})
    answers = await picker.route(call, ROUTE_ENDED)
    body = answers.body(came.REQUEST_BODY)
    assume(body, f"the body was not streamed; came: {answers.outline()}")
    require(json.loads(body).get("stream") is True, "stream was lost")


@case(Level.SHOULD, Profile.OPENAI, sources.OPENAI)
async def errors_have_openais_shape(picker: Picker) -> None:
    """A refusal is JSON with an error object that has a message, as OpenAI's clients read it."""
    answers = await _asked(picker, NOT_JSON)
    refusal = answers.immediate
    assume(refusal is not None, f"it was not refused; came: {answers.outline()}")
    try:
        error = json.loads(refusal.body)["error"]["message"] if refusal else None
    except (ValueError, KeyError, TypeError):
        error = None
    require(isinstance(error, str), "no error.message")
    stated = dict(answers.headers(came.IMMEDIATE)).get(wire.CONTENT_TYPE, "")
    require(wire.JSON in stated, f"content-type {stated or 'is missing'}")


@case(Level.SHOULD, Profile.OPENAI, sources.GIE_ERRORS)
async def refusals_have_a_reason(picker: Picker) -> None:
    """A 503 says why in a header that machines read, whose name ends in dropped-reason."""
    answers = await picker.ask(picker.chat(subset=[]).whole(), ROUTED)
    assume(answers.refusal == UNAVAILABLE, f"it was not refused with 503; came: {answers.outline()}")
    names = [name for name, value in answers.headers(came.IMMEDIATE) if value]
    require(any(name.endswith("dropped-reason") for name in names), f"headers: {', '.join(names) or 'none'}")


async def _asked(picker: Picker, body: bytes) -> Answers:
    return await picker.ask(picker.chat(body=body).whole(), ROUTE_ENDED)


def _require_refused(answers: Answers) -> None:
    require(answers.refusal == BAD_REQUEST, f"came: {answers.outline()}")
