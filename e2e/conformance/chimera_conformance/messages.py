"""What a gateway sends: one client's call, and the answer to it, as ext_proc messages."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc

from chimera_conformance import wire

GATEWAY_CHUNK = 32 * 1024  # bytes; what Envoy's listeners read at once in the reference's set-up

Header = tuple[str, str | bytes]
Hint = Sequence[str] | str


@dataclass(frozen=True, slots=True)
class Modes:
    """How the gateway treats bodies, as it says in its first message."""

    request: int
    response: int


FULL_DUPLEX = Modes(ProcessingMode.FULL_DUPLEX_STREAMED, ProcessingMode.FULL_DUPLEX_STREAMED)
BUFFERED = Modes(ProcessingMode.BUFFERED, ProcessingMode.BUFFERED)
BUFFERED_THEN_STREAMED = Modes(ProcessingMode.BUFFERED, ProcessingMode.STREAMED)
BUFFERED_THEN_NOTHING = Modes(ProcessingMode.BUFFERED, ProcessingMode.NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request of a client, as the gateway tells it.

    Attributes:
        headers: Beside the pseudo-headers, content type and length.
        sized: Whether the client says how long its body is.
        modes: None leaves them unset, as old gateways do.
        subset: The gateway's hint, in every message as Envoy repeats it; None gives none.
    """

    body: bytes = b""
    method: str = "POST"
    path: str = wire.CHAT
    headers: tuple[Header, ...] = ()
    sized: bool = True
    modes: Modes | None = FULL_DUPLEX
    subset: Hint | None = None

    def opening(self, *, end_of_stream: bool = False) -> Any:
        """Return the first message: the headers, and what the gateway says about itself."""
        fixed: list[Header] = [(wire.METHOD, self.method), (":scheme", "http"), (":authority", "pool.test")]
        fixed += [(wire.PATH, self.path), (wire.CONTENT_TYPE, wire.JSON)]
        if self.sized and not end_of_stream:
            fixed.append((wire.CONTENT_LENGTH, str(len(self.body))))
        part = ext_proc.HttpHeaders(headers=header_map((*fixed, *self.headers)), end_of_stream=end_of_stream)
        message = self._message(request_headers=part)
        if self.modes is not None:
            message.protocol_config.request_body_mode = self.modes.request
            message.protocol_config.response_body_mode = self.modes.response
        return message

    def piece(self, data: bytes, *, end_of_stream: bool = False) -> Any:
        """Return a piece of the body."""
        return self._message(request_body=ext_proc.HttpBody(body=data, end_of_stream=end_of_stream))

    def pieces(self, size: int = GATEWAY_CHUNK) -> list[Any]:
        """Return the body in pieces of so many bytes, none of which ends it."""
        return [self.piece(self.body[start : start + size]) for start in range(0, len(self.body), size)]

    def end(self) -> Any:
        """Return the empty piece that ends the body of an HTTP/1.1 request."""
        return self.piece(b"", end_of_stream=True)

    def trailers(self, **fields: str) -> Any:
        """Return the trailers, which end the body in its place."""
        return self._message(request_trailers=ext_proc.HttpTrailers(trailers=header_map(fields.items())))

    def whole(self, size: int = GATEWAY_CHUNK) -> list[Any]:
        """Return the call as an HTTP/1.1 request comes: headers, pieces, an empty end."""
        return [self.opening(), *self.pieces(size), self.end()]

    def bare(self) -> list[Any]:
        """Return the call as a request without a body comes."""
        return [self.opening(end_of_stream=True)]

    def at_once(self) -> list[Any]:
        """Return the call with its body in one piece that ends it, as gateways that buffer send it."""
        return [self.opening(), self.piece(self.body, end_of_stream=True)]

    def with_json(self, **fields: object) -> "Call":
        """Return the call with more fields in its body."""
        return replace(self, body=json.dumps({**json.loads(self.body), **fields}).encode())

    def _message(self, **part: Any) -> Any:
        message = ext_proc.ProcessingRequest(**part)
        if self.subset is not None:
            hint = self.subset if isinstance(self.subset, str) else list(self.subset)
            message.metadata_context.filter_metadata[wire.SUBSET_NAMESPACE].update({wire.SUBSET: hint})
        return message


def chat(model: str, content: str = "Say hello.") -> Call:
    """Return a chat completion request."""
    body = {"model": model, "messages": [{"role": "user", "content": content}], "max_tokens": 8}
    return Call(body=json.dumps(body).encode())


def response_headers(
    status: int = 200, content_type: str = wire.JSON, *, end_of_stream: bool = False, served: str | None = None
) -> Any:
    """Return the head of an answer; `served` is the endpoint that the gateway used, where it says so."""
    headers = header_map([(wire.STATUS, str(status)), (wire.CONTENT_TYPE, content_type)])
    message = ext_proc.ProcessingRequest(
        response_headers=ext_proc.HttpHeaders(headers=headers, end_of_stream=end_of_stream)
    )
    if served is not None:
        message.metadata_context.filter_metadata[wire.DESTINATION_NAMESPACE].update({wire.SERVED: served})
    return message


def response_body(data: bytes, *, end_of_stream: bool = False) -> Any:
    """Return a piece of an answer."""
    return ext_proc.ProcessingRequest(response_body=ext_proc.HttpBody(body=data, end_of_stream=end_of_stream))


def response_trailers(fields: Mapping[str, str]) -> Any:
    """Return the trailers of an answer, which end its body."""
    return ext_proc.ProcessingRequest(response_trailers=ext_proc.HttpTrailers(trailers=header_map(fields.items())))


def header_map(headers: Any) -> Any:
    """Return headers as Envoy sends them: by raw value."""
    message = ext_proc.HttpHeaders().headers
    for name, value in headers:
        message.headers.add(key=name, raw_value=value if isinstance(value, bytes) else value.encode())
    return message
