"""Parts of an exchange that several cases share, and what all of them look for."""

from typing import Any

from chimera_conformance import answers as came
from chimera_conformance.answers import Answers
from chimera_conformance.exchange import Exchange
from chimera_conformance.messages import response_body, response_headers
from chimera_conformance.verdicts import assume, require, skip


async def to_the_response(exchange: Exchange) -> Answers:
    """Send the head of an answer and return all that came until it was answered.

    Answers come in order, so all that the picker has to say about the request has come by then.
    """
    await exchange.send(response_headers())
    return await exchange.collect(came.answered(came.RESPONSE_HEADERS))


async def responded(exchange: Exchange, head: Any, pieces: list[bytes]) -> Answers:
    """Send an answer whose end comes in an empty piece, and return all that came."""
    await exchange.send(head, *map(response_body, pieces), response_body(b"", end_of_stream=True))
    answers = await exchange.collect(came.ended(came.RESPONSE_BODY))
    skip_unseen(answers)
    return answers


def skip_unseen(answers: Answers, first: str = came.RESPONSE_HEADERS) -> None:
    """Skip the case where the picker ended the stream before a part of the answer that it need not look at.

    In full duplex that is all of the answer or nothing: with its head answered the gateway has given the body away.
    """
    ended = answers.ending is not None and answers.ending.code == came.OK
    if ended and first not in answers.kinds:
        skip(f"the picker ends streams before {first}, as it may")


def require_order(answers: Answers, first: str, then: str) -> None:
    """Raise Violation unless every answer of the first kind came before all of the second."""
    assume({first, then} <= set(answers.kinds), f"came: {answers.outline()}")
    last = max(index for index, kind in enumerate(answers.kinds) if kind == first)
    require(last < answers.kinds.index(then), f"{then} came before {first}; came: {answers.outline()}")


def require_one_end(answers: Answers, kind: str) -> None:
    """Raise Violation unless exactly the last piece of a body ends it."""
    marks = [piece.end_of_stream for piece in answers.streamed(kind)]
    assume(any(marks), f"no piece ends the body; came: {answers.outline()}")
    require(marks.count(True) == 1, f"{marks.count(True)} pieces say end_of_stream")
    require(marks[-1], "pieces of the body came after its end")


def require_no_empty(answers: Answers, kind: str) -> None:
    """Raise Violation where a piece of a body was answered without a mutation."""
    assume(kind in answers.kinds, f"the body was not answered; came: {answers.outline()}")
    empty = [part for part in answers.of(kind) if part.response.body_mutation.WhichOneof("mutation") is None]
    require(not empty, f"{len(empty)} of {len(answers.of(kind))} answers to the body are empty")
