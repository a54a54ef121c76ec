"""A body that is taken says to the picker what it says to a plain reader of JSON, before and after it is rewritten."""

import json
from typing import Any

from drawing import Draw

from chimera_router.errors import RequestError
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, ParsedRequest, parse
from chimera_router.parsing.parts import INTERNAL_FIELDS
from chimera_router.parsing.rewriting import rewrite

_APIS = tuple(Api)
_LIMITS = Limits()
_CANARY = "canary-of-the-input"
_KEYS = (
    '"model"',
    '"mod\\u0065l"',
    '"messages"',
    '"stream"',
    '"prompt"',
    '"input"',
    '"x"',
    '"priority"',
    '"cache_salt"',
)
_VALUES = (
    '"auto"',
    '"a\\"b"',
    '"\\u0061uto"',
    '[{"role":"user","content":"hi"}]',
    '[{"role":"user","content":[{"type":"text","text":"hi"}],"model":"auto"}]',
    '{"model":"auto","y":[1.0,2e3]}',
    "true",
    "null",
    "5",
    "1e400",
    '"\\ud800"',
    "[]",
    f'"{_CANARY}"',
)


def run(data: bytes) -> None:
    draw = Draw(data)
    api = draw.choice(_APIS)
    body = _built(draw) if draw.byte() % 2 else draw.rest().replace(b"x", _CANARY.encode())
    try:
        request = parse(api, body, _LIMITS)
    except RequestError as error:
        text = f"{error}{getattr(error, 'param', '')}"
    else:
        text = ""
        _compare(request, body)
    assert _CANARY not in text


def _compare(request: ParsedRequest, body: bytes) -> None:
    try:
        said = json.loads(body)
    except ValueError:  # numbers of thousands of digits
        return
    assert request.model == said["model"]
    assert request.stream == bool(said.get("stream"))
    _check_rewritten(request, said)


def _check_rewritten(request: ParsedRequest, said: dict[str, Any]) -> None:
    rewritten = json.loads(rewrite(request, model="engine", priority=-7, cache_salt="salt"))
    kept = {name: value for name, value in said.items() if name not in INTERNAL_FIELDS}
    assert rewritten == kept | {"model": "engine", "priority": -7, "cache_salt": "salt"}


def _built(draw: Draw) -> bytes:
    fields = [f"{draw.choice(_KEYS)}{draw.choice((':', ' : '))}{draw.choice(_VALUES)}" for _ in range(draw.byte() % 7)]
    return ("{" + ",".join(['"model":"auto"'] * (draw.byte() % 3 == 0) + fields) + "}").encode()
