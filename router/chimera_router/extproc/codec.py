"""Envoy's ext_proc messages to events, actions to messages.

The bodies' messages, of which there may be one for every token, are cut and put together by hand; a message that is not
plainly one of these goes through the generated classes.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from envoy.config.core.v3.base_pb2 import HeaderMap, HeaderValue
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from envoy.type.v3.http_status_pb2 import HttpStatus
from google.protobuf.message import DecodeError

from chimera_router import wire
from chimera_router.errors import ProtocolViolation
from chimera_router.extproc.pieces import Malformed, extent, field, varint
from chimera_router.protocol import events
from chimera_router.protocol.events import BodyMode


class Undecodable:
    """A message that is not what the protocol defines; its bytes are forgotten."""


Received = events.Event | Undecodable

_MODES: Final = {
    ProcessingMode.NONE: BodyMode.NONE,
    ProcessingMode.STREAMED: BodyMode.STREAMED,
    ProcessingMode.BUFFERED: BodyMode.BUFFERED,
    ProcessingMode.FULL_DUPLEX_STREAMED: BodyMode.FULL_DUPLEX,
}

# Tags of ProcessingRequest and HttpBody: field number and wire type.
_REQUEST_BODY = 0x22
_RESPONSE_BODY = 0x2A
_METADATA_CONTEXT = 0x42
_BODY = 0x0A
_END_OF_STREAM = 0x10
_ENDS = b"\x10\x01"

_BODIES: Final[Mapping[int, type[events.RequestBody] | type[events.ResponseBody]]] = {
    _REQUEST_BODY: events.RequestBody,
    _RESPONSE_BODY: events.ResponseBody,
}


def decode(data: bytes) -> Received:
    """Return the event in a message. Never raises: gRPC would send the exception's text to the peer, input and all."""
    try:
        body = _BODIES.get(data[0]) if data else None
        if body is not None:
            return body(*_cut(data))
    except Malformed:
        pass
    try:
        return _event(ext_proc.ProcessingRequest.FromString(data))
    except (DecodeError, ProtocolViolation):
        return Undecodable()


def encode(action: events.Send) -> bytes:
    """Return the message that carries an action."""
    return _ENCODERS[type(action)](action)


# --- reading ---


def _cut(message: bytes) -> tuple[bytes, bool]:
    """Return data and end mark of a message whose first field is a body."""
    place, end = extent(message, 1)
    if end != len(message):
        _check_rest(message, end)
    data = b""
    if place < end and message[place] == _BODY:
        start, place = extent(message, place + 1)
        data = message[start:place]
    rest = message[place:end]
    if not rest:
        return data, False
    if rest == _ENDS:
        return data, True
    raise Malformed


def _check_rest(message: bytes, place: int) -> None:
    """Check that what follows the body is metadata and nothing else: a later body would replace the first."""
    if message[place] != _METADATA_CONTEXT or extent(message, place + 1)[1] != len(message):
        raise Malformed


def _event(message: ext_proc.ProcessingRequest) -> events.Event:
    match message.WhichOneof("request"):
        case "request_headers":
            return _request_headers(message)
        case "request_body":
            return events.RequestBody(message.request_body.body, message.request_body.end_of_stream)
        case "request_trailers":
            return events.RequestTrailers()
        case "response_headers":
            part = message.response_headers
            headers, _ = _headers(part.headers)
            return events.ResponseHeaders(headers=headers, end_of_stream=part.end_of_stream, served=_served(message))
        case "response_body":
            return events.ResponseBody(message.response_body.body, message.response_body.end_of_stream)
        case "response_trailers":
            return events.ResponseTrailers()
        case _:
            raise ProtocolViolation("the message has no known part")


def _request_headers(message: ext_proc.ProcessingRequest) -> events.RequestHeaders:
    part = message.request_headers
    headers, size = _headers(part.headers)
    modes = (BodyMode.FULL_DUPLEX, BodyMode.FULL_DUPLEX)  # of gateways that do not say
    if message.HasField("protocol_config"):
        config = message.protocol_config
        modes = (_mode(config.request_body_mode), _mode(config.response_body_mode))
    return events.RequestHeaders(
        headers=headers,
        end_of_stream=part.end_of_stream,
        size=size,
        subset=_subset(message),
        request_mode=modes[0],
        response_mode=modes[1],
    )


def _mode(mode: int) -> BodyMode:
    return _MODES.get(mode, BodyMode.UNKNOWN)


def _headers(headers: HeaderMap) -> tuple[dict[str, str], int]:
    """Return the headers by name, of repeated ones the last, and the bytes of all of them."""
    found, size = {}, 0
    for header in headers.headers:
        name, value = header.key.lower(), _text(header)
        found[name] = value
        size += len(name) + len(value)
    return found, size


def _text(header: HeaderValue) -> str:
    text: str = header.raw_value.decode(errors="replace") or header.value
    return text


def _subset(message: ext_proc.ProcessingRequest) -> frozenset[str] | None:
    """Return the gateway's subset hint, a list or one string with commas; None where there is none."""
    hint = _metadata_of(message, wire.SUBSET_NAMESPACE)
    if hint is None or wire.SUBSET not in hint.fields:
        return None
    value = hint.fields[wire.SUBSET]
    listed = [item.string_value for item in value.list_value.values] or value.string_value.split(",")
    return frozenset(address.strip() for address in listed if address.strip())


def _served(message: ext_proc.ProcessingRequest) -> str | None:
    metadata = _metadata_of(message, wire.DESTINATION_NAMESPACE)
    if metadata is None or wire.SERVED not in metadata.fields:
        return None
    served: str = metadata.fields[wire.SERVED].string_value
    return served


def _metadata_of(message: ext_proc.ProcessingRequest, namespace: str) -> Any:
    return message.metadata_context.filter_metadata.get(namespace)


# --- writing ---

# Tags of ProcessingResponse and of what is inside.
_TO_REQUEST_HEADERS = b"\x0a"
_TO_RESPONSE_HEADERS = b"\x12"
_TO_REQUEST_BODY = b"\x1a"
_TO_RESPONSE_BODY = b"\x22"
_DYNAMIC_METADATA = b"\x42"
_COMMON = b"\x0a"  # HeadersResponse.response, BodyResponse.response
_HEADER_MUTATION = b"\x12"  # CommonResponse
_BODY_MUTATION = b"\x1a"  # CommonResponse
_CLEAR_ROUTE_CACHE = b"\x28\x01"  # CommonResponse: true
_WHOLE_BODY = b"\x0a"  # BodyMutation.body
_STREAMED = b"\x1a"  # BodyMutation.streamed_response
_SET_HEADERS = b"\x0a"  # HeaderMutation
_FIRST = b"\x0a"  # HeaderValueOption.header, HeaderValue.key, StreamedBodyResponse.body, a map's key, Struct.fields
_RAW_VALUE = b"\x1a"  # HeaderValue; never `value` too: some Envoys refuse a header with both (envoy #31555)
_OVERWRITE = b"\x18\x02"  # HeaderValueOption.append_action: OVERWRITE_IF_EXISTS_OR_ADD
_MAP_VALUE = b"\x12"
_STRING_VALUE = b"\x1a"  # Value
_STRUCT_VALUE = b"\x2a"  # Value

_CACHED = 4096  # endpoints, or headers with their values: models, lengths


def _send_request_headers(action: events.SendRequestHeaders) -> bytes:
    common = field(_COMMON, field(_HEADER_MUTATION, _mutation(action.headers)) + _CLEAR_ROUTE_CACHE)
    return field(_TO_REQUEST_HEADERS, common) + _metadata(action.destination)


def _send_whole_request(action: events.SendWholeRequest) -> bytes:
    mutation = field(_HEADER_MUTATION, _mutation(action.headers))
    body = field(_BODY_MUTATION, field(_WHOLE_BODY, action.data))
    common = field(_COMMON, mutation + body + _CLEAR_ROUTE_CACHE)
    return field(_TO_REQUEST_BODY, common) + _metadata(action.destination)


def _send_response_headers(action: events.SendResponseHeaders) -> bytes:
    return field(_TO_RESPONSE_HEADERS, field(_COMMON, field(_HEADER_MUTATION, _mutation(action.headers))))


def _send_request_body(action: events.SendRequestBody) -> bytes:
    return _streamed(_TO_REQUEST_BODY, action.data, action.end_of_stream)


def _send_response_body(action: events.SendResponseBody) -> bytes:
    return _streamed(_TO_RESPONSE_BODY, action.data, action.end_of_stream)


def _streamed(direction: bytes, data: bytes, end_of_stream: bool) -> bytes:  # noqa: FBT001 - mirrors the message
    """Return a piece of a body inside its four messages, each of which says how long it is."""
    end = _ENDS if end_of_stream else b""
    head = _FIRST + varint(len(data)) if data else b""
    size = len(head) + len(data) + len(end)
    outer = b""
    for tag in (_STREAMED, _BODY_MUTATION, _COMMON, direction):
        outer = tag + varint(size + len(outer)) + outer
    return b"".join((outer, head, data, end))


def _mutation(headers: Iterable[tuple[str, str]]) -> bytes:
    return b"".join([_set_header(name, value) for name, value in headers])


@lru_cache(_CACHED)
def _set_header(name: str, value: str) -> bytes:
    header = field(_FIRST, name.encode()) + field(_RAW_VALUE, value.encode())
    return field(_SET_HEADERS, field(_FIRST, header) + _OVERWRITE)


@lru_cache(_CACHED)
def _metadata(destination: str) -> bytes:
    """Return the destination as dynamic metadata: `{envoy.lb: {x-gateway-destination-endpoint: destination}}`."""
    inner = _entry(wire.DESTINATION, field(_STRING_VALUE, destination.encode()))
    return field(_DYNAMIC_METADATA, _entry(wire.DESTINATION_NAMESPACE, field(_STRUCT_VALUE, inner)))


def _entry(key: str, value: bytes) -> bytes:
    return field(_FIRST, field(_FIRST, key.encode()) + field(_MAP_VALUE, value))


def _immediate(action: events.SendImmediate) -> bytes:
    immediate = ext_proc.ImmediateResponse(status=HttpStatus(code=action.status), body=action.body)
    immediate.headers.MergeFromString(_mutation(action.headers))
    return _serialized(ext_proc.ProcessingResponse(immediate_response=immediate))


def _serialized(message: ext_proc.ProcessingResponse) -> bytes:
    data: bytes = message.SerializeToString()
    return data


def _always(message: ext_proc.ProcessingResponse) -> Callable[[events.Send], bytes]:
    data = _serialized(message)
    return lambda _: data


_ENCODERS: Final[Mapping[type, Callable[[Any], bytes]]] = {
    events.SendResponseBody: _send_response_body,
    events.SendRequestHeaders: _send_request_headers,
    events.SendRequestBody: _send_request_body,
    events.SendWholeRequest: _send_whole_request,
    events.SendResponseHeaders: _send_response_headers,
    events.SendImmediate: _immediate,
    events.ContinueRequestHeaders: _always(ext_proc.ProcessingResponse(request_headers=ext_proc.HeadersResponse())),
    events.ContinueResponseBody: _always(ext_proc.ProcessingResponse(response_body=ext_proc.BodyResponse())),
    events.SendRequestTrailers: _always(ext_proc.ProcessingResponse(request_trailers=ext_proc.TrailersResponse())),
    events.SendResponseTrailers: _always(ext_proc.ProcessingResponse(response_trailers=ext_proc.TrailersResponse())),
}
