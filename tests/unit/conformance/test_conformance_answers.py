"""Reading what came back on a stream."""

from typing import Any

import pytest
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from tiny_picker import DESTINATION, header_mutation, streamed, with_metadata

from chimera_conformance import answers as came
from chimera_conformance.answers import Answers, Ending

PLACE = "127.0.0.1:8000"


def head(**headers: str) -> Any:
    common = ext_proc.CommonResponse(header_mutation=header_mutation(headers or {DESTINATION: PLACE}))
    return ext_proc.ProcessingResponse(request_headers=ext_proc.HeadersResponse(response=common))


def piece(data: bytes, *, end: bool = False) -> Any:
    return ext_proc.ProcessingResponse(request_body=streamed(data, end))


def refusal(status: int) -> Any:
    answer = ext_proc.ProcessingResponse()
    answer.immediate_response.status.code = status
    return answer


def test_route_is_read_from_headers_and_metadata() -> None:
    """The destination is what the header says, and the metadata is read beside it."""
    found = Answers((with_metadata(head(), {DESTINATION: PLACE}), piece(b"{", end=False), piece(b"}", end=True)))

    assert (found.routed, found.done) == (True, True)
    assert (found.destination, found.destination_metadata) == (PLACE, PLACE)
    assert (found.body(came.REQUEST_BODY), found.end_marks(came.REQUEST_BODY)) == (b"{}", 1)


def test_destination_may_come_with_the_body() -> None:
    """Where bodies are buffered the header is set in the body's answer, in whatever case it is written."""
    whole = ext_proc.ProcessingResponse(request_body=streamed(b"{}", True))
    whole.request_body.response.header_mutation.CopyFrom(header_mutation({DESTINATION.title(): PLACE}))

    assert Answers((whole,)).destination == PLACE


def test_last_destination_counts() -> None:
    """Of two headers the later one is what the gateway is left with."""
    assert Answers((head(), head(**{DESTINATION: "b"}))).destination == "b"


def test_value_counts_where_there_is_no_raw_value() -> None:
    """A header that was set as text is read too, so that a case can say what is wrong with it."""
    answer = head()
    header = answer.request_headers.response.header_mutation.set_headers[0].header
    header.value, header.raw_value = PLACE, b""

    assert Answers((answer,)).destination == PLACE


def test_refusal_is_no_route() -> None:
    """An answer in the engine's place takes a route back."""
    found = Answers((head(), refusal(503)))

    assert (found.routed, found.refusal, found.done) == (False, 503, True)


def test_nothing_is_nothing() -> None:
    """Without any answer there is neither route, refusal nor end; with the stream's end there is one."""
    nothing = Answers(())

    assert (nothing.routed, nothing.refusal, nothing.done, nothing.destination) == (False, None, False, None)
    assert Answers((), Ending("UNKNOWN", "")).done


def test_removed_headers_are_read() -> None:
    """Headers that an answer removes are known by name."""
    answer = head()
    answer.request_headers.response.header_mutation.remove_headers.append("Content-Length")

    assert Answers((answer,)).removed(came.REQUEST_HEADERS) == {"content-length"}


def test_body_mutation_of_another_mode_is_no_piece() -> None:
    """A plain body, or none, is an answer to the body but no piece of a streamed one."""
    plain = ext_proc.ProcessingResponse(request_body=ext_proc.BodyResponse())
    plain.request_body.response.body_mutation.body = b"x"

    found = Answers((plain, ext_proc.ProcessingResponse(request_body=ext_proc.BodyResponse())))

    assert (len(found.of(came.REQUEST_BODY)), found.streamed(came.REQUEST_BODY)) == (2, [])


@pytest.mark.parametrize(
    ("found", "outline"),
    [
        pytest.param(Answers(()), "nothing", id="nothing"),
        pytest.param(
            Answers((head(), piece(b"a"), piece(b"b"))), "request_headers, request_body ×2", id="several of a kind"
        ),
        pytest.param(Answers((refusal(400),)), "immediate_response (400)", id="refusal"),
        pytest.param(
            Answers((ext_proc.ProcessingResponse(),), Ending("OK", "")),
            "an empty message, then the stream ended with OK",
            id="ending",
        ),
    ],
)
def test_outline_says_what_came(found: Answers, outline: str) -> None:
    """The sentence of a verdict tells kinds, counts, the status of a refusal and how the stream ended."""
    assert found.outline() == outline


@pytest.mark.parametrize(
    ("until", "holds_after"),
    [
        pytest.param(came.answered(came.REQUEST_HEADERS), 1, id="answered"),
        pytest.param(came.counted(came.REQUEST_BODY, 2), 3, id="counted"),
        pytest.param(came.streamed(came.REQUEST_BODY, 1), 2, id="streamed"),
        pytest.param(came.ended(came.REQUEST_BODY), 3, id="ended"),
        pytest.param(came.all_of([came.answered(came.REQUEST_HEADERS), came.ended(came.REQUEST_BODY)]), 3, id="all of"),
        pytest.param(came.never, None, id="never"),
    ],
)
def test_condition_holds_as_soon_as_enough_came(until: came.Until, holds_after: int | None) -> None:
    """A condition to stop collecting holds from the answer on that fulfils it."""
    messages = (head(), piece(b"a"), piece(b"b", end=True))

    holding = [count for count in range(len(messages) + 1) if until(Answers(messages[:count]))]

    assert holding == ([] if holds_after is None else list(range(holds_after, len(messages) + 1)))
