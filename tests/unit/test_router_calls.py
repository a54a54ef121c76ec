"""Requests become calls by their path, for as long as their deadline allows."""

import pytest
from callers import Fakes
from peers import data, headers

from chimera_router.extproc.http2.header_blocks import literal
from chimera_router.extproc.rpc import Status


@pytest.fixture
def fakes() -> Fakes:
    return Fakes()


def test_unknown_path_is_unimplemented(fakes: Fakes) -> None:
    """No service hears of it."""
    caller, made = fakes.caller, fakes.made
    number = caller.open("/service/Other")
    caller.say(number, b"x", end=True)

    assert caller.answers[number].status == Status.UNIMPLEMENTED
    assert (made, fakes.allowance.calls) == ([], 0)


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"])
def test_content_types_of_grpc_are_taken(fakes: Fakes, kind: str) -> None:
    """Whatever stands behind the name of gRPC."""
    caller, made = fakes.caller, fakes.made
    caller.open(content_type=kind)

    assert len(made) == 1


@pytest.mark.parametrize(
    "fields", [{":method": "GET"}, {"content-type": "application/grpc-web"}, {"content-type": "x"}]
)
def test_other_requests_are_turned_away(fields: dict[str, str]) -> None:
    """What is no gRPC gets an HTTP status and a line of text once it is complete."""
    fakes = Fakes()
    caller, made = fakes.caller, fakes.made
    number = caller.open("/", **fields)
    caller.send(data(number, b"whatever it is"))
    assert caller.answers[number].http == ""
    caller.send(data(number, end=True))

    answer = caller.answers[number]
    assert (answer.http, answer.left, answer.complete) == ("415", b"only gRPC is served here\n", True)
    assert (made, len(fakes.connection)) == ([], 0)


def test_request_without_a_content_type_is_turned_away(fakes: Fakes) -> None:
    """It is no gRPC either."""
    caller, made = fakes.caller, fakes.made
    number = caller.open()
    caller.send(headers(number + 2, literal(((":method", "POST"), (":scheme", "http"), (":path", "/"))), end=True))

    assert len(made) == 1
    assert len(fakes.connection) == 1


@pytest.mark.parametrize(
    ("timeout", "seconds"),
    [("1H", 3_600), ("2M", 120), ("3S", 3), ("400m", 0.4), ("5u", 5e-6), ("6n", 6e-9), ("99999999H", 99999999 * 3_600)],
)
def test_deadline_ends_the_call(fakes: Fakes, timeout: str, seconds: float) -> None:
    """At the deadline that a client states, in each of gRPC's units, it gets DEADLINE_EXCEEDED unasked."""
    caller, made = fakes.caller, fakes.made
    number = caller.open(grpc_timeout=timeout)
    fakes.timers.turn(seconds * 0.99)
    assert caller.answers[number].status is None

    fakes.timers.turn(seconds * 0.02)

    assert caller.answers[number].status == Status.DEADLINE_EXCEEDED
    assert (made[0].over, fakes.allowance.calls) == (1, 0)


def test_deadline_of_a_call_that_ended_means_nothing(fakes: Fakes) -> None:
    """Its timer is cancelled, so that nothing of the call is kept until then."""
    caller, made = fakes.caller, fakes.made
    caller.open(grpc_timeout="1H")
    cancelled = caller.open(grpc_timeout="1H")
    made[0].rpc.finish()
    caller.cancel(cancelled)

    assert [timer.cancelled for timer in fakes.timers.set] == [True, True]


@pytest.mark.parametrize("timeout", ["", "1", "S", "1s", "-1S", "123456789S", "1.5S", "1 S", "٣S"])
def test_deadline_that_is_none_ends_the_call(fakes: Fakes, timeout: str) -> None:
    """As gRPC's own servers do, it is refused as INTERNAL."""
    caller, made = fakes.caller, fakes.made
    number = caller.open(grpc_timeout=timeout)

    assert caller.answers[number].status == Status.INTERNAL
    assert made == []
