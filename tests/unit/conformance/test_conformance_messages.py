"""What the kit sends is what a gateway sends."""

import json

from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode

from chimera_conformance import wire
from chimera_conformance.messages import BUFFERED, Call, chat, response_headers


def headers(message: object) -> dict[str, bytes]:
    return {header.key: header.raw_value for header in message.request_headers.headers.headers}  # type: ignore[attr-defined]


def test_opening_carries_pseudo_headers_and_length() -> None:
    """The first message is as Envoy's: pseudo-headers, the length of the body, and raw values only."""
    call = chat("m")
    opening = call.opening()

    found = headers(opening)
    assert found[":method"] == b"POST"
    assert found[":path"] == b"/v1/chat/completions"
    assert found["content-length"] == str(len(call.body)).encode()
    assert not any(header.value for header in opening.request_headers.headers.headers)


def test_modes_are_told_in_the_first_message_only() -> None:
    """How bodies are treated is said once, and not at all by an old gateway."""
    opening, *pieces = chat("m").whole()

    assert opening.protocol_config.request_body_mode == ProcessingMode.FULL_DUPLEX_STREAMED
    assert not any(piece.HasField("protocol_config") for piece in pieces)
    assert not Call(modes=None).opening().HasField("protocol_config")
    assert Call(modes=BUFFERED).opening().protocol_config.response_body_mode == ProcessingMode.BUFFERED


def test_hint_is_repeated_in_every_message() -> None:
    """Envoy sends its metadata with headers, body and trailers alike; so does the kit, as a list or as one string."""
    call = Call(body=b"{}", subset=["a:1", "b:2"])
    messages = [*call.whole(), call.trailers()]

    hints = [message.metadata_context.filter_metadata[wire.SUBSET_NAMESPACE][wire.SUBSET] for message in messages]
    assert [list(hint) for hint in hints] == [["a:1", "b:2"]] * len(messages)
    text = Call(subset="a:1, b:2").opening().metadata_context.filter_metadata[wire.SUBSET_NAMESPACE]
    assert text[wire.SUBSET] == "a:1, b:2"


def test_body_is_cut_and_ended() -> None:
    """No piece of the body ends it: the end comes by itself, or with the bytes where they come at once."""
    call = Call(body=b"abcdefg")

    _, *pieces = call.whole(size=3)
    assert [(piece.request_body.body, piece.request_body.end_of_stream) for piece in pieces] == [
        (b"abc", False),
        (b"def", False),
        (b"g", False),
        (b"", True),
    ]
    last = call.at_once()[-1].request_body
    assert (last.body, last.end_of_stream) == (b"abcdefg", True)


def test_unsized_call_has_no_length() -> None:
    """A client that sends in chunks says no length, nor does one without a body."""
    assert "content-length" not in headers(Call(body=b"x", sized=False).opening())
    assert "content-length" not in headers(Call().bare()[0])


def test_fields_are_added_to_the_body() -> None:
    """A case changes single fields of a request and keeps the rest."""
    body = json.loads(chat("m", "hi").with_json(stream=True).body)

    assert (body["model"], body["stream"], body["messages"][0]["content"]) == ("m", True, "hi")


def test_served_endpoint_is_told_where_asked() -> None:
    """Only a gateway that reports who served says so."""
    told = response_headers(served="a:1").metadata_context.filter_metadata[wire.DESTINATION_NAMESPACE]

    assert told[wire.SERVED] == "a:1"
    assert not response_headers().HasField("metadata_context")
