"""A request in the words of each room that looks at it."""

import json
from dataclasses import replace

import pytest
from pools import decision, model

from chimera_router import translation, wire
from chimera_router.errors import InvalidRequest
from chimera_router.flowcontrol.types import HoldLimits, Lane
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, parse
from chimera_router.protocol.events import Accounting, Choose, Route
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import Assignment, Decision, Endpoint, SchedulingRequest
from chimera_router.workflow.identity import FoundBy, tenant_digest
from chimera_router.workflow.program import Program
from chimera_router.workflow.table import Arrival

PROGRAM = Program(tenant="acme", id="wf-7", ordinal=7, stage=2, tokens=90, last_tokens=30, largest_tokens=60)
HELD = Assignment(model="large", endpoint="10.0.0.1:1", seen_tokens=50)
DECISION = decision(Endpoint(name="large-0", address="10.0.0.1:1", model="large"), rank=5)


def asked(*, pinned: str | None = None, subset: frozenset[str] | None = None, **headers: str) -> Choose:
    messages = [
        {"role": "user", "content": "task"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "more"},
    ]
    body = json.dumps({"model": "auto", "messages": messages, "max_tokens": 40}).encode()
    return Choose(request=parse(Api.CHAT, body, Limits()), headers=headers, pinned=pinned, subset=subset)


def arrival(held: Assignment | None = None) -> Arrival:
    return Arrival(PROGRAM, FoundBy.MESSAGES, translation.conversation(asked()), held)


def request(choose: Choose, held: Assignment | None = None) -> SchedulingRequest:
    pool = ("10.0.0.1:1", "10.0.0.1:2", "10.0.0.2:1")
    return translation.scheduling_request(choose, arrival(held), at=1000.0, addresses=lambda: pool)


def routed(
    of: Decision = DECISION, served_name: str = "", headers: dict[str, str] | None = None, cache_salt: str = ""
) -> Route:
    return translation.route(
        of,
        replace(model("large"), served_name=served_name),
        PROGRAM,
        headers or {},
        request_id="r-1",
        cache_salt=cache_salt,
        accounting=Accounting.OBSERVE,
    )


def test_the_predictor_is_told_of_the_workflow() -> None:
    """Task, last message, what the workflow has had so far; the tenant only as a digest."""
    choose = asked()
    query = translation.query(choose.request, choose.headers, PROGRAM)

    assert (query.text, query.last_text, query.max_tokens) == ("task", "more", 40)
    assert (query.stage, query.tokens_so_far, query.last_tokens, query.largest_tokens) == (2, 90, 30, 60)
    assert query.tenant == tenant_digest("")


def test_a_new_workflow_has_had_nothing() -> None:
    """It is at its first stage."""
    choose = asked()
    query = translation.query(choose.request, choose.headers, None)

    assert (query.stage, query.tokens_so_far, query.last_tokens, query.largest_tokens) == (0, 0, 0, 0)


def test_the_scheduler_is_told_what_the_workflow_is_bound_to() -> None:
    """Its number, its tokens, its model, and what gateway and client allow."""
    subset = frozenset({"10.0.0.1:1", "10.0.0.1:2"})
    told = request(asked(pinned="large", subset=subset))

    assert (told.workflow, told.arrival, told.tokens_so_far) == (7, 1000.0, 90)
    assert (told.pinned, told.subset, told.assignment) == ("large", subset, PROGRAM.assignment)


def test_a_chain_of_responses_goes_where_they_are_kept() -> None:
    """Only that engine knows them; where the gateway does not allow it, none is left."""
    assert request(asked(), HELD).subset == {HELD.endpoint}
    assert request(asked(), HELD).assignment == HELD
    assert request(asked(subset=frozenset({"10.0.0.1:1", "other"})), HELD).subset == {HELD.endpoint}
    assert request(asked(subset=frozenset({"other"})), HELD).subset == frozenset()


def test_a_chain_of_responses_keeps_its_model() -> None:
    """Another one than made them is refused by parameter; its own may be named."""
    assert request(asked(pinned="large"), HELD).pinned == "large"
    with pytest.raises(InvalidRequest, match="model must be the one that made the previous response"):
        request(asked(pinned="small"), HELD)


def test_the_hold_queue_is_told_whose_it_is_and_how_large() -> None:
    """Class by objective, lane by the model decided on, bytes of the body, the moment until which it may wait."""
    choose = asked(**{"x-gateway-inference-objective": "urgent"})
    limits = HoldLimits(ttl=30.0, objectives={"urgent": 3})
    item = translation.item(choose, request(choose), DECISION, Scheduler(), limits=limits, wake=0.0, now=100.0)

    assert (item.priority, item.lane, item.cost, item.deadline) == (3, Lane(model="large"), 100.0, 130.0)
    assert item.size == len(choose.request.body)


def test_the_workflow_remembers_where_its_tokens_are() -> None:
    """For the prefix that the next stage may find there."""
    assert translation.assignment(DECISION, prompt_tokens=70) == replace(HELD, seen_tokens=70)


def test_the_gateway_is_told_address_name_and_priority() -> None:
    """The name is the engine's own where it differs; the client learns model and workflow."""
    named, unnamed = routed(served_name="org/large"), routed()

    assert (named.destination, named.model, named.priority) == ("10.0.0.1:1", "org/large", 5)
    assert unnamed.model == "large"
    assert dict(named.response_headers) == {wire.MODEL: "large", wire.WORKFLOW_ID: "wf-7"}


def test_a_decision_is_explained_only_where_asked_for() -> None:
    """Any spelling of true will do."""
    told = routed(headers={wire.EXPLAIN: "True"})

    assert json.loads(dict(told.response_headers)[wire.DECISION])["policy"] == "slack"
    assert wire.DECISION not in dict(routed(headers={wire.EXPLAIN: "no"}).response_headers)


def test_a_request_without_an_id_gets_one() -> None:
    """By it the access log and feedback name the request; one that the gateway gave stays."""
    assert routed().request_headers == ((wire.REQUEST_ID, "r-1"),)
    assert routed(headers={wire.REQUEST_ID: "theirs"}).request_headers == ()


def test_fallbacks_follow_the_chosen_endpoint() -> None:
    """In one string with commas, as the protocol lists them."""
    others = tuple(Endpoint(name=f"large-{n}", address=f"10.0.0.{n}:1", model="large") for n in (2, 3))

    assert routed(replace(DECISION, fallbacks=others)).destination == "10.0.0.1:1,10.0.0.2:1,10.0.0.3:1"
