"""What came back on one stream, and how to read it. Judges nothing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from chimera_conformance import wire

REQUEST_HEADERS = "request_headers"
REQUEST_BODY = "request_body"
REQUEST_TRAILERS = "request_trailers"
RESPONSE_HEADERS = "response_headers"
RESPONSE_BODY = "response_body"
RESPONSE_TRAILERS = "response_trailers"
IMMEDIATE = "immediate_response"
NOTHING = "an empty message"
OK = "OK"  # the status of a stream that ended as it should


@dataclass(frozen=True, slots=True)
class Ending:
    """How the picker ended the stream: the gRPC status."""

    code: str
    details: str


@dataclass(frozen=True, slots=True)
class Answers:
    """The messages so far, in order; and the ending, where the stream has ended."""

    messages: tuple[Any, ...]
    ending: Ending | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """What each message answers."""
        return tuple(message.WhichOneof("response") or NOTHING for message in self.messages)

    def of(self, kind: str) -> tuple[Any, ...]:
        """Return the parts of one kind."""
        return tuple(getattr(message, kind) for message in self.messages if message.WhichOneof("response") == kind)

    @property
    def immediate(self) -> Any | None:
        """The answer that the picker gave in the engine's place."""
        return next(iter(self.of(IMMEDIATE)), None)

    @property
    def refusal(self) -> int | None:
        """The HTTP status of that answer."""
        return None if self.immediate is None else int(self.immediate.status.code)

    @property
    def done(self) -> bool:
        """Whether the picker came to an end with the request: routed, refused, or the stream ended."""
        return self.routed or self.refusal is not None or self.ending is not None

    @property
    def routed(self) -> bool:
        """Whether the request's headers were answered, and the request was not refused."""
        return REQUEST_HEADERS in self.kinds and self.refusal is None

    @property
    def destination(self) -> str | None:
        """The destination header, wherever it was set; the last one counts, as in Envoy."""
        return dict(self.headers(REQUEST_HEADERS, REQUEST_BODY, REQUEST_TRAILERS)).get(wire.DESTINATION)

    @property
    def destination_metadata(self) -> str | None:
        """The destination in the dynamic metadata."""
        found = None
        for message in self.messages:
            namespace = message.dynamic_metadata.fields.get(wire.DESTINATION_NAMESPACE)
            if namespace is not None and wire.DESTINATION in namespace.struct_value.fields:
                found = str(namespace.struct_value.fields[wire.DESTINATION].string_value)
        return found

    def edits(self, *kinds: str) -> Iterator[Any]:
        """Yield the header options in the answers of some kinds."""
        for message in self.messages:
            kind = message.WhichOneof("response")
            if kind in kinds:
                yield from _mutation(message, kind).set_headers

    def headers(self, *kinds: str) -> list[tuple[str, str]]:
        """Return the headers set in the answers of some kinds, names in lower case."""
        return [(edit.header.key.lower(), value_of(edit.header)) for edit in self.edits(*kinds)]

    def removed(self, *kinds: str) -> set[str]:
        """Return the names of the headers removed there."""
        parts = ((message, message.WhichOneof("response")) for message in self.messages)
        return {
            name.lower() for message, kind in parts if kind in kinds for name in _mutation(message, kind).remove_headers
        }

    def streamed(self, kind: str) -> list[Any]:
        """Return the pieces of a body that were sent on in full duplex."""
        mutations = [part.response.body_mutation for part in self.of(kind)]
        return [each.streamed_response for each in mutations if each.WhichOneof("mutation") == "streamed_response"]

    def body(self, kind: str) -> bytes:
        """Return those pieces put together."""
        return b"".join(piece.body for piece in self.streamed(kind))

    def end_marks(self, kind: str) -> int:
        """Return how many of them end the body."""
        return sum(piece.end_of_stream for piece in self.streamed(kind))

    def outline(self) -> str:
        """Return what came, in words."""
        counted = [(kind, sum(1 for _ in same)) for kind, same in groupby(self.kinds)]
        came = ", ".join(kind if count == 1 else f"{kind} ×{count}" for kind, count in counted) or "nothing"
        if self.refusal is not None:
            came += f" ({self.refusal})"
        return came if self.ending is None else f"{came}, then the stream ended with {self.ending.code}"


def value_of(header: Any) -> str:
    """Return a header's value as text."""
    raw: bytes = header.raw_value
    return raw.decode(errors="replace") if raw else str(header.value)


def _mutation(message: Any, kind: str) -> Any:
    part = getattr(message, kind)
    if kind == IMMEDIATE:
        return part.headers
    return part.header_mutation if kind.endswith("trailers") else part.response.header_mutation


# --- when to stop collecting; a refusal or the end of the stream always does ---

Until = Callable[[Answers], bool]


def answered(*kinds: str) -> Until:
    """Stop once every kind was answered."""
    return lambda answers: set(kinds) <= set(answers.kinds)


def counted(kind: str, count: int) -> Until:
    """Stop once so many answers of a kind came."""
    return lambda answers: len(answers.of(kind)) >= count


def streamed(kind: str, count: int) -> Until:
    """Stop once so many pieces of a body were sent on."""
    return lambda answers: len(answers.streamed(kind)) >= count


def ended(kind: str) -> Until:
    """Stop once a piece ended the body."""
    return lambda answers: answers.end_marks(kind) > 0


def all_of(conditions: Iterable[Until]) -> Until:
    """Stop once all conditions hold."""
    listed = tuple(conditions)
    return lambda answers: all(condition(answers) for condition in listed)


def never(_answers: Answers) -> bool:
    """Stop only at the end of the stream, or of patience."""
    return False
