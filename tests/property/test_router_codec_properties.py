"""What is cut and put together by hand means what the generated classes make of it, whatever it holds."""

from typing import Any

import pytest
from envoy.config.core.v3.base_pb2 import HeaderValueOption
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf.internal.encoder import _VarintBytes
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_router import wire
from chimera_router.extproc import codec
from chimera_router.extproc.pieces import Malformed, extent, field, varint
from chimera_router.protocol import events
from chimera_router.protocol.events import BodyMode

TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
NAMES = st.sampled_from(["x-a", "X-B", ":path", "content-length", "x-gateway-destination-endpoint"])
HEADERS = st.lists(st.tuples(NAMES, TEXT), max_size=5).map(tuple)
DATA = st.one_of(st.binary(max_size=300), st.sampled_from([bytes(127), bytes(128), bytes(16_384), bytes(70_000)]))
MODES = {
    ProcessingMode.NONE: BodyMode.NONE,
    ProcessingMode.STREAMED: BodyMode.STREAMED,
    ProcessingMode.BUFFERED: BodyMode.BUFFERED,
    ProcessingMode.BUFFERED_PARTIAL: BodyMode.UNKNOWN,
    ProcessingMode.FULL_DUPLEX_STREAMED: BodyMode.FULL_DUPLEX,
}


def read(data: bytes) -> ext_proc.ProcessingResponse:
    """Return a message as the generated classes read it; all of it must be known to them."""
    message = ext_proc.ProcessingResponse.FromString(data)
    known = ext_proc.ProcessingResponse()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    assert known.ByteSize() == message.ByteSize()
    return message


def header_map(headers: tuple[tuple[str, str], ...], raw: bool) -> ext_proc.HttpHeaders:  # noqa: FBT001 - drawn
    part = ext_proc.HttpHeaders()
    for name, value in headers:
        if raw:
            part.headers.headers.add(key=name, raw_value=value.encode())
        else:
            part.headers.headers.add(key=name, value=value)
    return part


def found(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


def mutation(headers: tuple[tuple[str, str], ...]) -> ext_proc.HeaderMutation:
    expected = ext_proc.HeaderMutation()
    for name, value in headers:
        option = expected.set_headers.add(append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD)
        option.header.key, option.header.raw_value = name, value.encode()
    return expected


def destined(message: ext_proc.ProcessingResponse, destination: str) -> ext_proc.ProcessingResponse:
    message.dynamic_metadata.update({wire.DESTINATION_NAMESPACE: {wire.DESTINATION: destination}})
    return message


# --- reading ---


@given(data=DATA, end=st.booleans(), response=st.booleans(), extras=st.booleans())
def test_bodies_are_read(data: bytes, end: bool, response: bool, extras: bool) -> None:  # noqa: FBT001 - drawn
    """Either direction's, with metadata behind them or not."""
    part = ext_proc.HttpBody(body=data, end_of_stream=end)
    message = ext_proc.ProcessingRequest(**{"response_body" if response else "request_body": part})
    if extras:
        message.metadata_context.filter_metadata["envoy.lb"].update({"x": "y"})
    kind = events.ResponseBody if response else events.RequestBody

    assert codec.decode(message.SerializeToString()) == kind(data, end)


@given(
    headers=HEADERS,
    raw=st.booleans(),
    end=st.booleans(),
    modes=st.one_of(st.none(), st.tuples(st.sampled_from(list(MODES)), st.sampled_from(list(MODES)))),
    subset=st.one_of(st.none(), st.lists(TEXT, max_size=3)),
    listed=st.booleans(),
)
def test_request_headers_are_read(  # noqa: PLR0917 - drawn
    headers: tuple[tuple[str, str], ...],
    raw: bool,  # noqa: FBT001 - drawn
    end: bool,  # noqa: FBT001 - drawn
    modes: tuple[int, int] | None,
    subset: list[str] | None,
    listed: bool,  # noqa: FBT001 - drawn
) -> None:
    """With the body modes of gateways that state them, and the subset hint in both of its forms."""
    part = header_map(headers, raw)
    part.end_of_stream = end
    message = ext_proc.ProcessingRequest(request_headers=part)
    if modes is not None:
        message.protocol_config.request_body_mode, message.protocol_config.response_body_mode = modes
    if subset is not None:
        hint: Any = subset if listed else ",".join(subset)
        message.metadata_context.filter_metadata[wire.SUBSET_NAMESPACE].update({wire.SUBSET: hint})
    expected = [address.strip() for each in subset or () for address in (each.split(",") if not listed else [each])]

    event = codec.decode(message.SerializeToString())

    assert isinstance(event, events.RequestHeaders)
    assert event.headers == found(headers)
    assert event.size == sum(len(name) + len(value) for name, value in headers)
    assert event.end_of_stream == end
    assert event.subset == (None if subset is None else frozenset(filter(None, expected)))
    stated = (ProcessingMode.FULL_DUPLEX_STREAMED,) * 2 if modes is None else modes
    assert (event.request_mode, event.response_mode) == tuple(MODES[mode] for mode in stated)


@given(headers=HEADERS, raw=st.booleans(), end=st.booleans(), served=st.one_of(st.none(), TEXT))
def test_response_headers_are_read(
    headers: tuple[tuple[str, str], ...],
    raw: bool,  # noqa: FBT001 - drawn
    end: bool,  # noqa: FBT001 - drawn
    served: str | None,
) -> None:
    """With the endpoint that the gateway says it used."""
    part = header_map(headers, raw)
    part.end_of_stream = end
    message = ext_proc.ProcessingRequest(response_headers=part)
    if served is not None:
        message.metadata_context.filter_metadata[wire.DESTINATION_NAMESPACE].update({wire.SERVED: served})

    event = codec.decode(message.SerializeToString())

    assert event == events.ResponseHeaders(headers=found(headers), end_of_stream=end, served=served)


def test_trailers_are_read() -> None:
    """Of both directions; what they say is not looked at."""
    for name, event in (("request", events.RequestTrailers()), ("response", events.ResponseTrailers())):
        message = ext_proc.ProcessingRequest(**{f"{name}_trailers": ext_proc.HttpTrailers()})
        assert codec.decode(message.SerializeToString()) == event


PIECE = st.one_of(
    st.sampled_from(
        [b"\x22", b"\x2a", b"\x42", b"\x0a", b"\x10\x01", b"\x10\x00", b"\x10\x81\x00", b"\x20\x01", b"\x00"]
    ),
    st.binary(max_size=6).map(lambda data: field(b"\x0a", data)),
    st.binary(max_size=6).map(lambda data: field(b"\x22", field(b"\x0a", data))),
    st.binary(max_size=6).map(lambda data: b"\x22" + bytes((len(data) + 2 | 0x80, 0)) + field(b"\x0a", data)),
    st.binary(max_size=6).map(lambda data: field(b"\x42", data)),
    st.binary(max_size=4),
)


@settings(max_examples=1_000)
@given(st.lists(PIECE, max_size=5).map(b"".join))
def test_any_bytes_are_what_the_generated_classes_say(data: bytes) -> None:
    """Nothing raises, and what the quick way takes is what protobuf reads; it leaves only metadata unread."""
    event = codec.decode(data)
    try:
        message = ext_proc.ProcessingRequest.FromString(data)
    except DecodeError:
        taken = isinstance(event, codec.Undecodable)
        assert taken or _decodable_without_metadata(data) == event
        return
    part = message.WhichOneof("request")
    if part in {"request_body", "response_body"}:
        kind = events.RequestBody if part == "request_body" else events.ResponseBody
        body = getattr(message, part)
        assert event == kind(body.body, body.end_of_stream)
    else:
        assert isinstance(event, codec.Undecodable) is (part is None)


def _decodable_without_metadata(data: bytes) -> codec.Received:
    end = extent(data, 1)[1]
    assert data[end] == 0x42
    return codec.decode(data[:end])


# --- writing ---


@given(headers=HEADERS, destination=TEXT)
def test_request_headers_are_written(headers: tuple[tuple[str, str], ...], destination: str) -> None:
    """The destination as metadata too; headers as raw values that replace what was there."""
    expected = ext_proc.ProcessingResponse()
    expected.request_headers.response.header_mutation.CopyFrom(mutation(headers))
    expected.request_headers.response.clear_route_cache = True

    assert read(codec.encode(events.SendRequestHeaders(destination, headers))) == destined(expected, destination)


@given(headers=HEADERS, destination=TEXT, data=DATA)
def test_whole_requests_are_written(headers: tuple[tuple[str, str], ...], destination: str, data: bytes) -> None:
    """Headers, body and metadata in one."""
    expected = ext_proc.ProcessingResponse()
    common = expected.request_body.response
    common.header_mutation.CopyFrom(mutation(headers))
    common.body_mutation.body = data
    common.clear_route_cache = True

    written = codec.encode(events.SendWholeRequest(destination, headers, data))

    assert read(written) == destined(expected, destination)


@given(headers=HEADERS)
def test_response_headers_are_written(headers: tuple[tuple[str, str], ...]) -> None:
    """Only what is to be set."""
    expected = ext_proc.ProcessingResponse()
    expected.response_headers.response.header_mutation.CopyFrom(mutation(headers))

    assert read(codec.encode(events.SendResponseHeaders(headers))) == expected


@given(data=DATA, end=st.booleans(), response=st.booleans())
def test_pieces_of_bodies_are_written(data: bytes, end: bool, response: bool) -> None:  # noqa: FBT001 - drawn
    """Of either direction, of any size."""
    expected = ext_proc.ProcessingResponse()
    part = expected.response_body if response else expected.request_body
    piece = part.response.body_mutation.streamed_response
    piece.body, piece.end_of_stream = data, end
    action = events.SendResponseBody(data, end) if response else events.SendRequestBody(data, end)

    assert read(codec.encode(action)) == expected


@given(status=st.integers(200, 599), body=DATA, headers=HEADERS)
def test_immediate_answers_are_written(status: int, body: bytes, headers: tuple[tuple[str, str], ...]) -> None:
    """Status, headers and body."""
    expected = ext_proc.ProcessingResponse()
    expected.immediate_response.status.code = status
    expected.immediate_response.body = body
    expected.immediate_response.headers.CopyFrom(mutation(headers))

    assert read(codec.encode(events.SendImmediate(status=status, body=body, headers=headers))) == expected


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (events.ContinueRequestHeaders(), {"request_headers": ext_proc.HeadersResponse()}),
        (events.ContinueResponseBody(), {"response_body": ext_proc.BodyResponse()}),
        (events.SendRequestTrailers(), {"request_trailers": ext_proc.TrailersResponse()}),
        (events.SendResponseTrailers(), {"response_trailers": ext_proc.TrailersResponse()}),
    ],
)
def test_answers_without_contents_are_written(action: events.Send, expected: dict[str, Any]) -> None:
    """They name the part that they answer."""
    assert read(codec.encode(action)) == ext_proc.ProcessingResponse(**expected)


# --- pieces ---


@given(st.integers(0, 1 << 35))
def test_varints_are_protobufs(number: int) -> None:
    """Each is written as protobuf writes it."""
    assert varint(number) == _VarintBytes(number)


@given(data=st.binary(max_size=20_000), before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_extent_finds_what_field_wrote(data: bytes, before: bytes, after: bytes) -> None:
    """A field's data is where it was put."""
    message = before + field(b"\x0a", data) + after
    start, end = extent(message, len(before) + 1)

    assert message[start:end] == data
    assert message[end:] == after


@given(message=st.binary(max_size=8), place=st.integers(0, 9))
def test_extent_never_leaves_the_message(message: bytes, place: int) -> None:
    """Whatever stands there: a part of the message, or no field."""
    try:
        start, end = extent(message, place)
    except Malformed:
        return
    assert place < start <= end <= len(message)
