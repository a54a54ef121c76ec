"""What the engine gets of a body: the client's bytes, with a model, a place in the queue and a salt of the picker's."""

import json

import pytest

from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, parse
from chimera_router.parsing.parts import INTERNAL_FIELDS
from chimera_router.parsing.rewriting import rewrite

MESSAGES = b'"messages":[{"role":"user","content":"hi"}]'


def rewritten(body: bytes, *, priority: int | None = None, cache_salt: str = "", api: Api = Api.CHAT) -> bytes:
    return rewrite(parse(api, body, Limits()), model="small", priority=priority, cache_salt=cache_salt)


def test_every_other_byte_stays() -> None:
    """Numbers, escapes and spacing reach the engine as the client wrote them."""
    body = (
        rb'{ "temperature": 1.0e-0, "model" : "auto", "messages":[{"role":"user","content":"\u00e9 \"model\": \/"}] , '
        rb'"x":[ ] }'
    )

    assert rewritten(body, priority=7) == body.replace(b'"auto"', b'"small"').replace(b"{ ", b'{"priority":7, ', 1)


def test_nothing_is_added_where_nothing_is_sent() -> None:
    """Without a priority and a salt only the model changes."""
    assert rewritten(b'{"model":"auto",' + MESSAGES + b"}") == b'{"model":"small",' + MESSAGES + b"}"


def test_responses_are_rewritten_too() -> None:
    """Whatever the API, it is the same field."""
    body = b'{"model":"auto","input":"hello"}'

    assert rewritten(body, priority=-3, api=Api.RESPONSES) == b'{"priority":-3,"model":"small","input":"hello"}'


@pytest.mark.parametrize("name", INTERNAL_FIELDS)
def test_no_client_sets_what_engines_and_gateways_tell_each_other(name: str) -> None:
    """Whatever a client puts there never reaches an engine, however it is written."""
    written = json.dumps({name: {"x": 1}})[1:-1].encode()
    escaped = written.replace(b'"%c' % name[0].encode(), b'"\\u%04x' % ord(name[0]), 1)

    for field in (written, escaped):
        body = b'{"model":"auto",' + field + b"," + MESSAGES + b"}"
        assert json.loads(rewritten(body)) == {**json.loads(b"{" + MESSAGES + b"}"), "model": "small"}


def test_the_pickers_own_values_take_their_place() -> None:
    """A client never orders an engine's queue nor chooses with whom it shares a prefix cache."""
    body = b'{"priority":-9,"model":"auto","cache_salt":"theirs",' + MESSAGES + b"}"

    told = json.loads(rewritten(body, priority=7, cache_salt="ours"))

    assert (told["priority"], told["cache_salt"], told["model"]) == (7, "ours", "small")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(b'"model":"a","n":1,"model":"auto","n":2', id="twice"),
        pytest.param(b'"model":"a","mod\\u0065l":"auto","n":2', id="once by another spelling"),
        pytest.param(b'"model":"auto","mod\\u0065l":"auto","n":2', id="twice the same in two spellings"),
        pytest.param(b'"mod\\u0065l":"auto","tools":[{"model":"auto"}],"n":2', id="by another spelling and inside"),
        pytest.param(b'"mod\\u0065l":"auto","n":2', id="by another spelling alone"),
        pytest.param(b'"tools":[{"model":"x"}],"model":"auto","n":2', id="and inside"),
        pytest.param(b'"model":"\\u0061uto","n":2', id="with an escaped value"),
    ],
)
def test_the_engine_reads_the_model_that_the_picker_chose(fields: bytes) -> None:
    """However often and in whatever spelling a body names its model, one stays."""
    told = json.loads(rewritten(b"{" + MESSAGES + b"," + fields + b"}"))

    assert (told["model"], told["n"]) == ("small", 2)
