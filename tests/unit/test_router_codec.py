"""Which messages the quick way leaves to the generated classes, and what nobody reads."""

import pytest
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc

from chimera_router.extproc import codec
from chimera_router.extproc.pieces import field
from chimera_router.protocol.events import RequestBody, RequestHeaders, ResponseBody, ResponseHeaders

BODY = field(b"\x0a", b"data")


def message(contents: bytes, tag: bytes = b"\x22") -> bytes:
    return field(tag, contents)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (message(BODY), RequestBody(b"data")),
        (message(BODY + b"\x10\x01"), RequestBody(b"data", end_of_stream=True)),
        (message(b""), RequestBody(b"")),
        (message(b"\x10\x01"), RequestBody(b"", end_of_stream=True)),
        (message(BODY + b"\x10\x00"), RequestBody(b"data")),
        (message(BODY + b"\x10\x05"), RequestBody(b"data", end_of_stream=True)),
        (message(b"\x10\x01" + BODY), RequestBody(b"data", end_of_stream=True)),
        (message(BODY + field(b"\x0a", b"last")), RequestBody(b"last")),
        (message(BODY + b"\x18\x01\x20\x01"), RequestBody(b"data")),
        (message(BODY) + message(field(b"\x0a", b"last")), RequestBody(b"last")),
        (message(BODY) + message(BODY, b"\x2a"), ResponseBody(b"data")),
        (message(BODY) + b"\x50\x01", RequestBody(b"data")),
        (b"\x50\x01" + message(BODY), RequestBody(b"data")),
        (message(BODY) + field(b"\x42", b"\xff\xff"), RequestBody(b"data")),
    ],
)
def test_last_word_counts_however_it_is_written(sent: bytes, expected: object) -> None:
    """Explicit falsehoods, other orders, repeated and unknown fields, a later body: as protobuf has it."""
    assert codec.decode(sent) == expected


@pytest.mark.parametrize("sent", [b"", b"\x22", b"\x22\x05ab", b"\xff" * 20, b"\x22\x04\x0a\xff\xff\xff", b"\x50\x01"])
def test_what_is_no_message_is_forgotten(sent: bytes) -> None:
    """It becomes an event that holds nothing of it."""
    event = codec.decode(sent)

    assert isinstance(event, codec.Undecodable)
    assert not hasattr(event, "__dict__") or not vars(event)


def headers(*fields: tuple[bytes | None, str | None]) -> ext_proc.ProcessingRequest:
    sent = ext_proc.ProcessingRequest()
    for raw, value in fields:
        header = sent.request_headers.headers.headers.add(key="X-Name")
        header.raw_value, header.value = raw or b"", value or ""
    return sent


@pytest.mark.parametrize(
    ("field_", "expected"),
    [
        ((b"raw", None), "raw"),
        ((None, "text"), "text"),
        ((b"raw", "text"), "raw"),
        ((None, None), ""),
        ((b"\xff\xfe", None), "\ufffd\ufffd"),
        ((b"a\0b\r\nc: d", None), "a\0b\r\nc: d"),
    ],
)
def test_header_values_are_opaque(field_: tuple[bytes | None, str | None], expected: str) -> None:
    """Raw values go before text; whatever bytes they hold, there is a text of it and nothing raises."""
    event = codec.decode(headers(field_).SerializeToString())

    assert isinstance(event, RequestHeaders)
    assert event.headers == {"x-name": expected}


def test_repeated_headers_count_by_their_size() -> None:
    """The last one is taken, all of them are measured: ten thousand do not pass for one."""
    event = codec.decode(headers(*((b"%04d" % n, None) for n in range(10_000))).SerializeToString())

    assert isinstance(event, RequestHeaders)
    assert (event.headers, event.size) == ({"x-name": "9999"}, 100_000)


def test_metadata_of_other_kinds_is_no_hint() -> None:
    """A subset or an endpoint that is a number, or stands elsewhere, is not taken for one."""
    sent = ext_proc.ProcessingRequest(response_headers=ext_proc.HttpHeaders())
    sent.metadata_context.filter_metadata["envoy.lb"].update({"x-gateway-destination-endpoint-served": 5})
    assert codec.decode(sent.SerializeToString()) == ResponseHeaders(headers={}, served="")

    asked = headers()
    asked.request_headers.SetInParent()
    asked.metadata_context.filter_metadata["elsewhere"].update({"x-gateway-destination-endpoint-subset": ["1.1.1.1:1"]})
    event = codec.decode(asked.SerializeToString())
    assert isinstance(event, RequestHeaders)
    assert event.subset is None
