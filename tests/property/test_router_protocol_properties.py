"""The state machine, the parser and the table, whatever comes."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chimera_router.errors import NoEndpoints, ProtocolViolation, RequestError
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, Message, parse
from chimera_router.parsing.parts import INTERNAL_FIELDS
from chimera_router.parsing.rewriting import rewrite
from chimera_router.parsing.usage import UsageScanner
from chimera_router.protocol.catalog import Catalog
from chimera_router.protocol.events import (
    Accounting,
    Action,
    BodyMode,
    Choose,
    ContinueRequestHeaders,
    ContinueResponseBody,
    Event,
    RequestBody,
    RequestHeaders,
    RequestTrailers,
    ResponseBody,
    ResponseHeaders,
    ResponseTrailers,
    Route,
    SendImmediate,
    SendRequestBody,
    SendRequestHeaders,
    SendRequestTrailers,
    SendResponseBody,
    SendResponseHeaders,
    SendResponseTrailers,
    SendWholeRequest,
)
from chimera_router.protocol.intake import Intake
from chimera_router.protocol.mutations import chunks
from chimera_router.protocol.rules import Rules
from chimera_router.protocol.stream import StreamMachine
from chimera_router.scheduling.types import DropReason
from chimera_router.workflow.conversation import Conversation
from chimera_router.workflow.table import ProgramTable, TableLimits

CATALOG = Catalog(pool="p", virtual=frozenset({"p", "auto"}), pins={"m": "m"})
BODY = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}]}).encode()

ORDER = [
    ContinueRequestHeaders,
    SendRequestHeaders,
    SendRequestBody,
    SendWholeRequest,
    SendRequestTrailers,
    SendResponseHeaders,
    SendResponseBody,
    ContinueResponseBody,
    SendResponseTrailers,
]

events = st.one_of(
    st.builds(
        RequestHeaders,
        headers=st.fixed_dictionaries(
            {
                ":path": st.sampled_from(["/v1/chat/completions", "/v1/models", "/x", ""]),
                ":method": st.sampled_from(["POST", "GET"]),
            }
        ),
        end_of_stream=st.booleans(),
        request_mode=st.sampled_from(BodyMode),
        response_mode=st.sampled_from(BodyMode),
    ),
    st.builds(RequestBody, st.sampled_from([BODY, b"", b"{", BODY[:7], BODY[7:]]), st.booleans()),
    st.just(RequestTrailers()),
    st.builds(
        ResponseHeaders,
        headers=st.fixed_dictionaries({":status": st.sampled_from(["200", "503", "x", ""])}),
        end_of_stream=st.booleans(),
    ),
    st.builds(ResponseBody, st.binary(max_size=20), st.booleans()),
    st.just(ResponseTrailers()),
)


class AnyOrder(RuleBasedStateMachine):
    """Feeds events in any order; whatever happens, what is sent obeys the protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.begin()

    def begin(self) -> None:
        self.rules = Rules(catalog=CATALOG, limits=Limits(max_body_bytes=200), intake=Intake())
        self.machine = StreamMachine(self.rules)
        self.sent: list[Action] = []
        self.choosing = False

    @precondition(lambda self: not self.choosing)
    @rule(event=events)
    def feed(self, event: Event) -> None:
        try:
            actions = self.machine.feed(event)
        except ProtocolViolation:  # the pump ends such a stream; the gateway opens another
            self.begin()
            return
        self.choosing = any(isinstance(action, Choose) for action in actions)
        self.sent += actions

    @precondition(lambda self: self.choosing)
    @rule(accounting=st.sampled_from(Accounting))
    def route(self, accounting: Accounting) -> None:
        self.choosing = False
        self.sent += self.machine.route(Route(destination="10.0.0.1:1", model="m", accounting=accounting))

    @precondition(lambda self: self.choosing)
    @rule()
    def refuse(self) -> None:
        self.choosing = False
        self.sent += self.machine.refuse(NoEndpoints(reason=DropReason.NO_ENDPOINTS))

    @invariant()
    def answers_come_in_the_protocols_order(self) -> None:
        places = [ORDER.index(type(action)) for action in self.sent if type(action) in ORDER]
        assert places == sorted(places)

    @invariant()
    def each_body_has_its_headers_and_one_end(self) -> None:
        kinds = [type(action) for action in self.sent]
        assert SendRequestBody not in kinds or kinds.count(SendRequestHeaders) == 1
        assert SendWholeRequest not in kinds or kinds.count(ContinueRequestHeaders) == 1
        for body in (SendRequestBody, SendResponseBody):
            assert sum(isinstance(action, body) and action.end_of_stream for action in self.sent) <= 1

    @invariant()
    def bodies_are_answered_in_the_form_that_the_gateway_takes(self) -> None:
        kinds = {type(action) for action in self.sent}
        assert not {SendRequestBody, SendWholeRequest} <= kinds
        assert not {SendResponseBody, ContinueResponseBody} <= kinds

    @invariant()
    def nothing_is_held_of_a_stream_that_is_not_read(self) -> None:
        assert self.machine.reading or (self.rules.intake.requests, self.rules.intake.bytes) == (0, 0)

    @invariant()
    def an_immediate_answer_is_the_last(self) -> None:
        immediate = [index for index, action in enumerate(self.sent) if isinstance(action, SendImmediate)]
        assert immediate in ([], [len(self.sent) - 1])


TestAnyOrder = AnyOrder.TestCase

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    """The parser knows two outcomes, and neither is a crash."""
    with suppress(RequestError):
        assert parse(Api.CHAT, data, Limits()).messages


@given(st.dictionaries(st.sampled_from(["model", "messages", "stream", "n", "prompt", "x"]), json_values))
def test_any_json_is_parsed_or_refused(fields: dict[str, object]) -> None:
    """Fields of any type, in any combination, are read or refused."""
    for api in Api:
        with suppress(RequestError):
            assert parse(api, json.dumps(fields).encode(), Limits()).model == fields["model"]


@given(st.dictionaries(st.text(), json_values), st.text(), st.none() | st.integers(-(2**62), 2**62))
def test_rewrite_changes_what_the_picker_sets(fields: dict[str, object], model: str, number: int | None) -> None:
    """Every field but model, priority and what no client may set means afterwards what it meant before."""
    sent = {**fields, "messages": [{"role": "user", "content": "hi"}], "model": "x"}
    body = json.dumps(sent).encode()
    try:
        request = parse(Api.CHAT, body, Limits())
    except RequestError:  # a field of a type that no API has
        return

    after = json.loads(rewrite(request, model=model, priority=number))

    expected = {name: value for name, value in sent.items() if name not in INTERNAL_FIELDS} | {"model": model}
    assert after == (expected if number is None else expected | {"priority": number})


@given(st.binary(max_size=300_000))
def test_chunks_lose_nothing(body: bytes) -> None:
    """Pieces put together are the body, and none is too large for a gateway."""
    pieces = chunks(body)

    assert b"".join(pieces) == body
    assert max(map(len, pieces)) <= 62_000


@given(st.lists(st.integers(1, 40), max_size=30), st.integers(0, 10**6))
def test_usage_is_found_wherever_the_answer_is_cut(cuts: list[int], count: int) -> None:
    """The engine's count does not depend on how the answer was chunked."""
    answer = b'data: {"a":1}\n\ndata: {"usage":{"prompt_tokens":1,"completion_tokens":%d}}\n\n' % count
    scanner, start = UsageScanner(), 0
    for cut in cuts:
        scanner.feed(answer[start : start + cut])
        start += cut
    scanner.feed(answer[start:])

    assert scanner.usage.output_tokens == count


texts = st.text(max_size=5)


@given(st.lists(st.tuples(texts, st.integers(1, 4)), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_interleaved_conversations_stay_apart(runs: list[tuple[str, int]], random: object) -> None:
    """Conversations with distinct tasks, their stages mixed at random, are each recognised as one workflow."""
    table = ProgramTable(new_id=iter(map(str, range(1000))).__next__)
    histories = [[Message("user", f"{index}{task}")] for index, (task, _) in enumerate(runs)]
    turns = [index for index, (_, stages) in enumerate(runs) for _ in range(stages)]
    random.shuffle(turns)  # type: ignore[attr-defined]
    found: dict[int, set[str]] = {}
    for index in turns:
        history = histories[index]
        arrival = table.arrive(Conversation.of(history, tenant=""), now=0.0)
        found.setdefault(index, set()).add(arrival.program.id)
        history += [Message("assistant", "reply"), Message("user", "observation")]

    assert all(len(ids) == 1 for ids in found.values())
    assert len(set().union(*found.values())) == len(found)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.floats(0, 3)), max_size=60))
def test_table_never_outgrows_its_bounds(arrivals: list[tuple[str, int, float]]) -> None:
    """Count, tenant cap and age hold after every request, and no index outlives its workflow."""
    limits = TableLimits(programs=4, per_tenant=3, ttl=5.0)
    table = ProgramTable(new_id=iter(map(str, range(1000))).__next__, limits=limits)
    now = 0.0
    for tenant, task, pause in arrivals:
        now += pause
        table.arrive(Conversation.of([Message("user", str(task))], tenant=tenant), now=now)
        programs = table._store._programs.values()
        assert len(table) <= 4
        assert max(map(len, table._store._tenants.values())) <= 3
        assert sum(map(len, table._evidence._holders.values())) == len(table)
        assert all(now - program.touched <= 5.0 for program in programs)


def test_limits_of_the_table_are_stated() -> None:
    """The defaults bound memory: fifty thousand workflows, half an hour."""
    limits = TableLimits()

    assert (limits.programs, limits.ttl) == (50_000, pytest.approx(1800))
