"""Who sends a request, and which workflow its headers say it belongs to."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b

from chimera_router import wire
from chimera_router.parsing.openai import ParsedRequest
from chimera_router.values import value

# Characters of a preamble that tell applications apart, about 500 tokens. Beyond, long ones carry what changes from
# request to request: retrieved passages, memories, dates.
PREAMBLE_CHARACTERS = 2000

_TENANTS = (wire.TENANT, *wire.FAIRNESS_IDS)

MAX_ID_LENGTH = 128  # characters; a longer id is a mistake or an attack on the table's memory


class FoundBy(StrEnum):
    """How a request's workflow was recognised."""

    HEADER = "header"
    SESSION = "session"
    RESPONSE = "response"
    MESSAGES = "messages"
    NEW = "new"


@value
class Claim:
    """The identity a client states in a header."""

    id: str
    found_by: FoundBy


def claim(headers: Mapping[str, str]) -> Claim | None:
    """Return the workflow id in the headers: Chimera's own, else the session headers that clients already send."""
    own = _usable(headers.get(wire.WORKFLOW_ID))
    if own:
        return Claim(own, FoundBy.HEADER)
    session = _first(headers, wire.SESSION_IDS)
    return Claim(session, FoundBy.SESSION) if session else None


def tenant(headers: Mapping[str, str]) -> str:
    """Return whose request it is, as the gateway says; workflows of two tenants never meet."""
    return _first(headers, _TENANTS)


def objective(headers: Mapping[str, str]) -> str:
    """Return the name of the InferenceObjective that the request is sent under; empty where there is none."""
    return _first(headers, wire.OBJECTIVES)


@lru_cache(maxsize=4096)
def tenant_digest(tenant: str) -> str:
    """Return an opaque stand-in for a tenant, for what is kept longer than its workflows."""
    return blake2b(tenant.encode(), digest_size=8).hexdigest()


def application(headers: Mapping[str, str]) -> str:
    """Return the name of the application that sends the request, as it or the gateway says; empty where nobody does."""
    return _usable(headers.get(wire.APPLICATION)) or ""


def fingerprint(request: ParsedRequest, headers: Mapping[str, str]) -> str:
    """Return an opaque digest of the application that sends a request; empty where nothing tells it.

    An application is known by the name in the header, else by what all of its requests share: the beginning of its
    preamble and the names of its tools, in any order. Nothing that a user wrote is in it, and two tenants never share
    one.
    """
    named, preamble, tools = application(headers), request.preamble, sorted(set(request.tools))
    if not (named or preamble.strip() or tools):
        return ""
    told = ("named", named) if named else ("seen", preamble[:PREAMBLE_CHARACTERS], *tools)
    text = "\0".join((tenant(headers), *told))  # a tenant is printable, so its end is certain
    return blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def request_id(headers: Mapping[str, str]) -> str:
    """Return the id that the gateway gave the request; empty where there is none."""
    return _usable(headers.get(wire.REQUEST_ID)) or ""


def retries(headers: Mapping[str, str]) -> bool:
    """Return whether the client says that it sends the same request again, as OpenAI's SDKs do."""
    count = headers.get(wire.RETRY_COUNT, "")
    return count.isascii() and count.isdigit() and int(count[:4]) > 0


def _first(headers: Mapping[str, str], names: Iterable[str]) -> str:
    """Return the first usable value under one of these names; empty where there is none."""
    for name in names:
        value = headers.get(name)
        if value and _usable(value):
            return value
    return ""


def _usable(value: str | None) -> str | None:
    return value if value and len(value) <= MAX_ID_LENGTH and value.isprintable() else None
