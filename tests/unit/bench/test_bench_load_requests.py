"""What the bench of pickers asks for."""

import json

import pytest

from chimera_bench.load import cases
from chimera_bench.load.cases import CASES, Case, Closed, Open
from chimera_bench.load.http1 import Message
from chimera_bench.load.prompts import CHUNKS, GAP_US, Prompts
from chimera_operator.local.errors import BadInputError
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, parse
from chimera_training.features import normalise


def body(request: bytes) -> bytes:
    return request.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_bodies_have_about_the_size_asked_for(case: Case) -> None:
    """Each is a request that the picker takes, and its length is announced."""
    request = Prompts(case, first=1).next()
    message = Message()

    assert message.feed(request)
    assert len(body(request)) == pytest.approx(case.body, rel=0.02)
    assert parse(Api.CHAT, body(request), Limits()).stream == bool(case.chunks)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_no_two_prompts_are_alike_to_a_predictor(case: Case) -> None:
    """Of long prompts it reads beginning and end, which differ as well."""
    prompts = Prompts(case)
    texts = [json.loads(body(prompts.next()))["messages"][1]["content"] for _ in range(3)]

    assert len({normalise(text) for text in texts}) == 3


def test_half_of_each_prompt_is_shared() -> None:
    """As the instructions of an application are."""
    prompts = Prompts(CASES["json100k"], first=5)
    first, second = (json.loads(body(prompts.next()))["messages"][1]["content"] for _ in range(2))
    half = len(first) // 2

    assert first[: half - 20] == second[: half - 20]
    assert first[half - 20 : half + 20] != second[half - 20 : half + 20]


def test_requests_tell_the_stand_in_what_to_answer() -> None:
    """Chunks and the time between them, in its headers, beside those that were asked for."""
    message = Message()
    message.feed(Prompts(CASES["sse100"], first=1, headers="x-more: 1\r\n").next())

    assert (message.header(CHUNKS), message.header(GAP_US), message.header("x-more")) == ("100", "5000", "1")


def test_later_prompts_go_on_where_none_have_come() -> None:
    """Without a first number each series has one of its own."""
    assert Prompts(CASES["json1k"], first=7).next() == Prompts(CASES["json1k"], first=7).next()
    assert Prompts(CASES["json1k"], first=7).next() != Prompts(CASES["json1k"]).next()


@pytest.mark.parametrize(("name", "mode"), [("c16", Closed(16)), ("r100", Open(100.0))])
def test_modes_are_named_by_a_letter_and_a_number(name: str, mode: cases.Mode) -> None:
    """And the name tells the mode."""
    assert cases.mode(name) == mode
    assert mode.name == name


@pytest.mark.parametrize("name", ["", "c", "r0", "x5", "c-1", "r1.5"])
def test_other_modes_are_refused(name: str) -> None:
    """With the rule."""
    with pytest.raises(BadInputError, match="must be c and a number of connections"):
        cases.mode(name)


def test_unknown_cases_are_refused() -> None:
    """With those that there are."""
    with pytest.raises(BadInputError, match="must be one of json1k, json100k, json1m, sse100"):
        cases.case("json2k")
