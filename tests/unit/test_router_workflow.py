import itertools

import pytest

from chimera_router import wire
from chimera_router.errors import AlreadyJudged, UnknownWorkflow
from chimera_router.parsing.openai import Message
from chimera_router.scheduling.types import Assignment
from chimera_router.workflow.conversation import Conversation
from chimera_router.workflow.identity import (
    Claim,
    FoundBy,
    application,
    claim,
    request_id,
    retries,
    tenant,
    tenant_digest,
)
from chimera_router.workflow.table import Arrival, Choice, Program, ProgramTable, TableLimits

TASK = Message("user", "solve it")
REPLY = Message("assistant", "step one " * 10)
NEXT = Message("user", "observation")


def table(**limits: float) -> ProgramTable:
    ids = itertools.count()
    return ProgramTable(new_id=lambda: f"wf-{next(ids)}", limits=TableLimits(**limits))  # type: ignore[arg-type]


def send(
    programs: ProgramTable, *messages: Message, tenant: str = "", stated: Claim | None = None, now: float = 0.0
) -> Arrival:
    return programs.arrive(Conversation.of(messages, tenant=tenant), claim=stated, now=now)


def test_conversation_that_goes_on_is_the_same_workflow() -> None:
    """A request whose messages extend an earlier request's is its next stage, without any header."""
    programs = table()

    first = send(programs, TASK)
    second = send(programs, TASK, REPLY, NEXT)

    assert (second.program.id, second.program.stage, second.found_by) == (first.program.id, 1, FoundBy.MESSAGES)


def test_third_stage_is_found_from_the_second() -> None:
    """Each stage is where the next one continues."""
    programs = table()
    send(programs, TASK)
    send(programs, TASK, REPLY, NEXT)

    third = send(programs, TASK, REPLY, NEXT, REPLY, NEXT)

    assert (third.program.stage, len(programs)) == (2, 1)


def test_stage_is_found_past_several_replies() -> None:
    """A client that adds two turns at once still continues its workflow."""
    programs = table()
    first = send(programs, TASK)

    assert send(programs, TASK, REPLY, NEXT, REPLY, NEXT).program is first.program


def test_equal_first_requests_are_two_workflows() -> None:
    """Two users who ask the same are not one workflow."""
    programs = table()

    assert send(programs, TASK).program is not send(programs, TASK).program


def test_equal_conversations_continue_where_the_reply_fits() -> None:
    """Of two workflows with the same messages, the one whose reply was about as long goes on."""
    programs = table()
    short, long = send(programs, TASK), send(programs, TASK)
    programs.finish(short.program, output_tokens=5)
    programs.finish(long.program, output_tokens=500)

    assert send(programs, TASK, Message("assistant", "x" * 1900), NEXT).program is long.program
    assert send(programs, TASK, Message("assistant", "x" * 20), NEXT).program is short.program


def test_same_later_messages_again_are_a_retry() -> None:
    """A client that repeats a later stage has not moved on."""
    programs = table()
    send(programs, TASK)
    second = send(programs, TASK, REPLY, NEXT)

    again = send(programs, TASK, REPLY, NEXT)

    assert (again.program, again.program.stage) == (second.program, 1)


def test_other_conversation_is_another_workflow() -> None:
    """A changed task begins anew."""
    programs = table()
    send(programs, TASK)

    arrival = send(programs, Message("user", "another"), REPLY, NEXT)

    assert (arrival.program.stage, arrival.found_by) == (0, FoundBy.NEW)


def test_tenants_never_meet() -> None:
    """The same conversation of another tenant is another workflow."""
    programs = table()
    send(programs, TASK, tenant="a")

    assert send(programs, TASK, REPLY, NEXT, tenant="b").found_by is FoundBy.NEW


def test_stated_id_needs_no_messages() -> None:
    """Requests with one id are one workflow, whatever they say."""
    programs = table()
    stated = Claim("run-7", FoundBy.HEADER)

    first = send(programs, TASK, stated=stated)
    second = send(programs, NEXT, stated=stated)

    assert (first.found_by, second.found_by, second.program.stage) == (FoundBy.NEW, FoundBy.HEADER, 1)
    assert second.program.id == "run-7"


def test_stated_ids_of_two_tenants_are_two_workflows() -> None:
    """An id belongs to its tenant."""
    programs = table()
    stated = Claim("run-7", FoundBy.HEADER)

    assert (
        send(programs, TASK, tenant="a", stated=stated).program
        is not send(programs, TASK, tenant="b", stated=stated).program
    )


def test_finished_stages_add_up() -> None:
    """A workflow knows the tokens of all its stages and of the last one."""
    programs = table()
    program = send(programs, TASK).program

    programs.finish(program, output_tokens=30)
    programs.finish(program, output_tokens=12)

    assert (program.tokens, program.last_tokens, program.largest_tokens) == (42, 12, 30)


def test_table_forgets_what_is_old() -> None:
    """A workflow without a request for the time to live is over, and its memory is free."""
    programs = table(ttl=10.0)
    send(programs, TASK, now=0.0)

    arrival = send(programs, TASK, REPLY, NEXT, now=10.1)

    assert (arrival.found_by, len(programs), len(programs._evidence)) == (FoundBy.NEW, 1, 1)


def test_table_keeps_what_is_in_use() -> None:
    """Each request renews its workflow's life."""
    programs = table(ttl=10.0)
    first = send(programs, TASK, now=0.0)
    send(programs, TASK, REPLY, NEXT, now=9.0)

    assert send(programs, TASK, REPLY, NEXT, REPLY, NEXT, now=18.0).program is first.program


@pytest.mark.parametrize(("sent", "name"), [("tickets", "tickets"), ("", ""), ("x" * 129, ""), ("a\nb", "")])
def test_an_application_gives_its_name_or_none(sent: str, name: str) -> None:
    """What is too long or cannot be printed is no name."""
    assert application({wire.APPLICATION: sent}) == name
    assert application({}) == ""


def test_one_tenants_flood_leaves_the_others_alone() -> None:
    """Past its own cap a tenant pushes out its own oldest workflow."""
    programs = table(per_tenant=2)
    calm = send(programs, TASK, tenant="calm")
    for index in range(5):
        send(programs, Message("user", str(index)), tenant="flood")

    assert send(programs, TASK, REPLY, NEXT, tenant="calm").program is calm.program
    assert len(programs) == 3


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({wire.WORKFLOW_ID: "w", "x-session-id": "s"}, Claim("w", FoundBy.HEADER), id="own first"),
        pytest.param({"x-session-id": "s"}, Claim("s", FoundBy.SESSION), id="session"),
        pytest.param({"session_id": "s"}, Claim("s", FoundBy.SESSION), id="session with underscore"),
        pytest.param({"x-claude-code-session-id": "s"}, Claim("s", FoundBy.SESSION), id="a client's own"),
        pytest.param({}, None, id="none"),
        pytest.param({wire.WORKFLOW_ID: ""}, None, id="empty"),
        pytest.param({wire.WORKFLOW_ID: "x" * 129}, None, id="too long"),
        pytest.param({wire.WORKFLOW_ID: "a\nb"}, None, id="unprintable"),
    ],
)
def test_claim_reads_the_first_usable_header(headers: dict[str, str], expected: Claim | None) -> None:
    """Chimera's header comes before session headers; unusable values count as absent."""
    assert claim(headers) == expected


def test_tenant_is_what_the_gateway_says() -> None:
    """Chimera's tenant header comes before the fairness ids of llm-d; without any, everybody is one tenant."""
    assert [
        tenant({wire.TENANT: "a", "x-llm-d-inference-fairness-id": "b"}),
        tenant({"x-gateway-inference-fairness-id": "b"}),
        tenant({}),
    ] == ["a", "b", ""]


def test_digest_depends_on_where_messages_end() -> None:
    """The same characters cut elsewhere, or said by another role, are another conversation."""
    digest = Conversation.of([Message("user", "ab"), Message("user", "c")], tenant="").digest

    assert digest != Conversation.of([Message("user", "a"), Message("user", "bc")], tenant="").digest
    assert digest != Conversation.of([Message("user", "ab"), Message("assistant", "c")], tenant="").digest


@pytest.mark.parametrize(
    ("sent", "again"), [("0", False), ("1", True), ("12", True), ("", False), ("x", False), ("9" * 5000, True)]
)
def test_sdks_say_that_they_try_again(sent: str, again: bool) -> None:  # noqa: FBT001 - a row of the table
    """Their count of earlier attempts is read; what is no number counts as none."""
    assert retries({wire.RETRY_COUNT: sent}) is again
    assert not retries({})


def assign(programs: ProgramTable, program: Program, model: str, confidence: float, request: str = "") -> None:
    assignment = Assignment(model=model, endpoint="127.0.0.1:1")
    programs.assign(program, assignment, confidence=confidence, corrected=confidence / 2, request_id=request)


def test_feedback_finds_the_workflow_by_its_id() -> None:
    """What is judged is the model and the confidence that decided."""
    programs = table()
    program = send(programs, TASK, tenant="a").program
    assign(programs, program, "large", 0.7)

    assert programs.judge("a", workflow_id=program.id, now=1.0) == Choice("large", 0.7, 0.35)


def test_later_stages_keep_the_confidence_that_decided() -> None:
    """Only a change of model makes another choice of it."""
    programs = table()
    program = send(programs, TASK).program

    assign(programs, program, "large", 0.7)
    assign(programs, program, "large", 0.2)
    kept = program.choice
    assign(programs, program, "small", 0.3)

    assert (kept, program.choice) == (Choice("large", 0.7, 0.35), Choice("small", 0.3, 0.15))


def test_feedback_finds_the_workflow_by_its_latest_request() -> None:
    """An earlier request's id is forgotten."""
    programs = table()
    program = send(programs, TASK).program
    assign(programs, program, "large", 0.7, "r-1")
    assign(programs, program, "large", 0.7, "r-2")

    with pytest.raises(UnknownWorkflow):
        programs.judge("", request_id="r-1", now=1.0)
    assert programs.judge("", request_id="r-2", now=1.0).model == "large"


def test_feedback_counts_once() -> None:
    """Whichever way the workflow is named."""
    programs = table()
    program = send(programs, TASK).program
    assign(programs, program, "large", 0.7, "r-1")
    programs.judge("", workflow_id=program.id, now=1.0)

    with pytest.raises(AlreadyJudged):
        programs.judge("", request_id="r-1", now=1.0)


def test_feedback_of_another_tenant_is_unknown() -> None:
    """Nobody judges what is not his."""
    programs = table()
    program = send(programs, TASK, tenant="a").program
    assign(programs, program, "large", 0.7, "r-1")

    for named in ({"workflow_id": program.id}, {"request_id": "r-1"}):
        with pytest.raises(UnknownWorkflow):
            programs.judge("b", **named, now=1.0)


def test_feedback_before_a_decision_is_unknown() -> None:
    """A workflow that was refused has no model to judge."""
    programs = table()
    program = send(programs, TASK).program

    with pytest.raises(UnknownWorkflow):
        programs.judge("", workflow_id=program.id, now=1.0)


def test_forgotten_workflows_leave_no_request_behind() -> None:
    """What was dropped by age or count is unknown by either name."""
    programs = table(programs=2, ttl=10.0)
    for number in range(5):
        assign(programs, send(programs, TASK).program, "large", 0.7, f"r-{number}")

    assert set(programs._by_request) == {("", "r-3"), ("", "r-4")}
    with pytest.raises(UnknownWorkflow):
        programs.judge("", request_id="r-4", now=11.0)
    assert not programs._by_request


def test_a_request_id_used_twice_is_the_later_workflows() -> None:
    """The earlier one's end does not take the id away."""
    programs = table(programs=1)
    assign(programs, send(programs, TASK).program, "small", 0.5, "same")
    assign(programs, send(programs, TASK).program, "large", 0.7, "same")

    assert programs.judge("", request_id="same", now=1.0).model == "large"


def test_request_ids_are_bounded() -> None:
    """One that is too long or no text is none."""
    assert request_id({wire.REQUEST_ID: "r-1"}) == "r-1"
    assert request_id({wire.REQUEST_ID: "x" * 1000}) == request_id({}) == ""


def test_digest_of_a_tenant_hides_it() -> None:
    """Equal for equal tenants, and nothing of the name in it."""
    assert tenant_digest("acme") == tenant_digest("acme") != tenant_digest("other")
    assert "acme" not in tenant_digest("acme")
