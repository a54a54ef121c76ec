"""Give a body what the decision changes of it, and leave every other byte alone."""

import msgspec

from chimera_router.parsing.messages import ParsedRequest
from chimera_router.parsing.parts import INTERNAL_FIELDS

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODER = msgspec.json.Encoder()
_MODEL = b'"model"'
_ESCAPED = b"\\u006"  # a letter from ` to o, which no one writes so; a key with one in it may be `model` too
_SPACE = b" \t\r\n"


def rewrite(request: ParsedRequest, *, model: str, priority: int | None = None, cache_salt: str = "") -> bytes:
    """Return the body for the engine: its own name for the model, its place in the queue, its prompts' salt.

    What only gateways and engines may set never survives of the client's. All other fields keep their bytes; of a
    repeated field the last one stays, so the engine reads what the picker read.

    Args:
        request: As it came.
        model: Name the engine knows the model by.
        priority: Place in the engine's queue; None leaves it out.
        cache_salt: What separates the prompts of tenants in the engine's prefix cache; empty leaves it out.
    """
    added = b"" if priority is None else b'"priority":%d,' % priority
    if cache_salt:
        added += b'"cache_salt":' + _ENCODER.encode(cache_salt) + b","
    spliced = None if request.internal else _spliced(request, _ENCODER.encode(model), added)
    return spliced or _rebuilt(request.body, model=model, added=added)


def _spliced(request: ParsedRequest, model: bytes, added: bytes) -> bytes | None:
    """Return the body with its one `model` replaced in place; None where it is not plain which one that is."""
    body = request.body
    start = _value(body)
    if start is None:
        return None
    end = body.find(b'"', start + 1) + 1
    if body[start + 1 : end - 1] != request.model.encode(errors="surrogatepass"):
        return None
    first = body.index(b"{") + 1
    return b"".join((body[:first], added, body[first:start], model, body[end:]))


def _value(body: bytes) -> int | None:
    """Return where the string after the one `"model"` of a body begins; inside a string it would have been escaped."""
    key = body.find(_MODEL)
    if key < 0 or body.find(_MODEL, key + 1) >= 0 or _ESCAPED in body:
        return None
    colon = _next(body, key + len(_MODEL))
    if body[colon : colon + 1] != b":":
        return None
    start = _next(body, colon + 1)
    return start if body[start : start + 1] == b'"' else None


def _next(body: bytes, place: int) -> int:
    while body[place : place + 1] and body[place] in _SPACE:
        place += 1
    return place


def _rebuilt(body: bytes, *, model: str, added: bytes) -> bytes:
    fields = _FIELDS.decode(body)
    for name in INTERNAL_FIELDS:
        fields.pop(name, None)
    fields["model"] = msgspec.Raw(_ENCODER.encode(model))
    return b"{" + added + _ENCODER.encode(fields)[1:]
