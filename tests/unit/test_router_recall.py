"""What a table asks other pickers, and what it makes of their answers."""

import itertools

import pytest

from chimera_router.errors import AlreadyJudged, UnknownResponse, UnknownWorkflow
from chimera_router.parsing.messages import Message, ToolCall
from chimera_router.parsing.replies import Answer, Reply
from chimera_router.scheduling.types import Assignment
from chimera_router.workflow.conversation import Conversation, request_key, response_key
from chimera_router.workflow.identity import Claim, FoundBy
from chimera_router.workflow.parts import LATEST, Part, own
from chimera_router.workflow.program import Choice, Program
from chimera_router.workflow.recall import ASKED_KEYS, Lookup, Sighting, judged
from chimera_router.workflow.table import Arrival, ProgramTable

TASK = Message("user", "solve it")
TOLD = "the reply of the first stage, long enough to tell"
LATER = (TASK, Message("assistant", TOLD), Message("user", "and then?"))
STATED = Claim("run-7", FoundBy.SESSION)
PLACE = Assignment(model="large", endpoint="10.0.0.1:80", seen_tokens=5)


def table() -> ProgramTable:
    ids = itertools.count()
    return ProgramTable(new_id=lambda: f"wf-{next(ids)}")


def asked(*messages: Message, previous: str = "", tenant: str = "") -> Conversation:
    return Conversation.of(messages, tenant=tenant, previous=previous)


def answered(programs: ProgramTable, arrival: Arrival, *, response: str = "") -> None:
    programs.assign(arrival.program, PLACE, confidence=0.8, corrected=0.9, request_id="r-1")
    programs.remember(arrival.program, arrival.conversation, Answer((Reply(TOLD),), response), PLACE)
    programs.finish(arrival.program, output_tokens=30)
    programs.leave(arrival.program, 1.0)


def part(**values: object) -> Part:
    return Part(**{"id": "w", "asked": 1.0, "stages": 1, **values})  # type: ignore[arg-type]


def test_a_first_request_asks_nothing() -> None:
    """It follows nothing that anybody could know."""
    assert table().lookup(asked(TASK), None) is None


def test_a_later_request_asks_for_what_it_shows() -> None:
    """Its own digest first, in case it was sent before; then its replies and what stood before them."""
    conversation = asked(*LATER)
    (turn,) = conversation.turns

    assert table().lookup(conversation, None) == Lookup(
        tenant="", keys=(conversation.digest, turn.reply, turn.prefix, turn.opening)
    )


def test_a_long_history_asks_for_its_end_alone() -> None:
    """Two replies, and no more digests than the bound, however many tools they call."""
    calls = tuple(ToolCall(f"chatcmpl-tool-{n:032}", "search", "{}") for n in range(50))
    history = [Message("assistant", f"{TOLD} {n}", calls if n == 9 else ()) for n in range(10)]
    conversation = asked(TASK, *itertools.chain.from_iterable((reply, Message("user", "more")) for reply in history))
    lookup = table().lookup(conversation, None)

    assert lookup is not None
    assert len(lookup.keys) == ASKED_KEYS
    assert set(lookup.keys) <= {conversation.digest, *_shown(conversation)}


def _shown(conversation: Conversation) -> set[bytes]:
    return {key for turn in conversation.turns[:2] for key in (turn.reply, turn.prefix, turn.opening, *turn.unique)}


@pytest.mark.parametrize("claim", [None, STATED])
def test_whoever_gave_the_latest_answer_asks_nothing(claim: Claim | None) -> None:
    """No other picker has seen a request since: it would have another history."""
    programs = table()
    answered(programs, programs.arrive(asked(TASK), claim=claim, now=0.0))

    assert programs.lookup(asked(*LATER), claim) is None


@pytest.mark.parametrize("claim", [None, STATED])
def test_an_older_answer_is_not_the_latest_word(claim: Claim | None) -> None:
    """A picker that knows the workflow but not its last reply asks: another one served a stage since."""
    programs = table()
    answered(programs, programs.arrive(asked(TASK), claim=claim, now=0.0))

    assert programs.lookup(asked(*LATER, Message("assistant", "elsewhere"), Message("user", "?")), claim) is not None


def test_the_same_answer_to_another_question_is_not_the_latest_word() -> None:
    """Another workflow of this task was told the same; whether this one is known elsewhere must be asked."""
    programs = table()
    answered(programs, programs.arrive(asked(TASK), now=0.0))
    other = (TASK, Message("user", "briefly"), *LATER[1:])

    assert programs.lookup(asked(*other), None) is not None


def test_a_stated_workflow_is_asked_for_by_its_id() -> None:
    """At its first request too: another picker may know it."""
    assert table().lookup(asked(TASK, tenant="acme"), STATED) == Lookup(tenant="acme", id="run-7")


def test_a_response_is_asked_for_where_it_was_not_made() -> None:
    """With the workflow that is stated, if one is."""
    programs = table()
    answered(programs, programs.arrive(asked(TASK), now=0.0), response="resp_1")
    key = response_key("", "resp_2")

    assert programs.lookup(asked(TASK, previous="resp_1"), None) is None
    assert programs.lookup(asked(TASK, previous="resp_2"), None) == Lookup(tenant="", keys=(key,))
    assert programs.lookup(asked(TASK, previous="resp_2"), STATED) == Lookup(tenant="", id="run-7", keys=(key,))


def test_a_response_made_elsewhere_is_asked_for_in_a_workflow_known_here() -> None:
    """Though the picker has given the workflow's latest answer itself."""
    programs = table()
    answered(programs, programs.arrive(asked(TASK), claim=STATED, now=0.0))
    conversation = asked(*LATER, previous="resp_2")

    assert programs.lookup(conversation, STATED) == Lookup(tenant="", id="run-7", keys=(conversation.previous,))


def test_feedback_asks_by_what_it_names() -> None:
    """The workflow, or else the request."""
    assert judged("acme", workflow_id="w", request_id="") == Lookup(tenant="acme", id="w")
    assert judged("acme", workflow_id="", request_id="r") == Lookup(tenant="acme", keys=(request_key("acme", "r"),))


def test_what_is_adopted_is_known_as_if_it_had_come_here() -> None:
    """The next stage of a workflow of which others tell is its next stage here."""
    programs, conversation = table(), asked(*LATER)
    keys = (conversation.turns[0].reply,)
    told = part(digest=b"before", tokens=30, assignment=PLACE, stages=3)

    programs.adopt("", [Sighting(told, keys)], 2.0)
    arrival = programs.arrive(conversation, now=2.0)

    program = arrival.program
    assert (program.id, program.stage, program.tokens, arrival.found_by) == ("w", 3, 30, FoundBy.MESSAGES)
    assert program.assignment == PLACE


def test_what_others_told_is_not_asked_again() -> None:
    """Until a request has followed it."""
    programs, conversation = table(), asked(*LATER)
    (turn,) = conversation.turns

    programs.adopt("", [Sighting(part(digest=turn.prefix, latest=(turn.reply,)), (turn.reply,))], 2.0)

    assert programs.lookup(conversation, None) is None


def test_a_retry_at_another_picker_is_no_stage() -> None:
    """The same messages again, after they failed elsewhere."""
    programs, conversation = table(), asked(*LATER)
    told = part(digest=conversation.digest, stages=2)

    programs.adopt("", [Sighting(told, (conversation.digest,))], 2.0)

    assert programs.arrive(conversation, now=2.0).program.stage == 1


def test_own_stages_are_told_without_those_of_others() -> None:
    """So that the sum over all pickers counts each once."""
    programs = table()
    programs.adopt("", [Sighting(part(id="run-7", digest=b"before", tokens=100, stages=4))], 2.0)

    arrival = programs.arrive(asked(*LATER), claim=STATED, now=3.0)
    answered(programs, arrival)

    assert (arrival.program.stage, arrival.program.tokens) == (4, 130)
    assert (own(arrival.program).stages, own(arrival.program).tokens) == (1, 30)


def test_older_news_change_no_place() -> None:
    """What this picker has seen later stays, while stages and tokens add up."""
    programs = table()
    arrival = programs.arrive(asked(TASK), claim=STATED, now=5.0)
    answered(programs, arrival)

    programs.adopt("", [Sighting(part(id="run-7", asked=4.0, tokens=7, assignment=None, digest=b"old"))], 6.0)

    program = arrival.program
    assert (program.assignment, program.digest) == (PLACE, arrival.conversation.digest)
    assert (program.stage, program.tokens, program.last_tokens) == (1, 37, 30)


def test_a_response_that_others_lost_is_unknown() -> None:
    """A digest alone does not say where it is kept."""
    programs = table()
    conversation = asked(TASK, previous="resp_1")
    programs.adopt("", [Sighting(part(), (conversation.previous,))], 2.0)

    with pytest.raises(UnknownResponse):
        programs.arrive(conversation, now=2.0)


def test_feedback_finds_what_was_adopted() -> None:
    """By the workflow's id and by its latest request's, and only once in all."""
    choice = Choice("large", 0.8, 0.9)
    for named in ({"workflow_id": "w"}, {"request_id": "r-9"}):
        programs = table()
        programs.adopt("", [Sighting(part(choice=choice, request_id="r-9"))], 2.0)

        assert programs.judge("", now=2.0, **named) == choice
        with pytest.raises(AlreadyJudged):
            programs.judge("", now=2.0, **named)


def test_feedback_given_elsewhere_counts_here() -> None:
    """The first one counts, wherever it was."""
    programs = table()
    programs.adopt("", [Sighting(part(choice=Choice("large", 0.8, 0.9), judged=True))], 2.0)

    with pytest.raises(AlreadyJudged):
        programs.judge("", workflow_id="w", now=2.0)
    with pytest.raises(UnknownWorkflow):
        programs.judge("acme", workflow_id="w", now=2.0)


def test_a_table_tells_of_what_others_need() -> None:
    """A decision, an answer with the digests that lead to it, a failure, feedback; nothing of what came to nothing."""
    told: list[tuple[str, int]] = []
    programs = table()
    programs.changed = lambda program, keys: told.append((program.id, len(keys)))

    refused = programs.arrive(asked(TASK), now=0.0)
    programs.leave(refused.program, 0.0)
    assert told == []

    failed = programs.arrive(asked(Message("user", "another")), now=0.0)
    programs.assign(failed.program, PLACE, confidence=0.5, corrected=0.5, request_id="")
    programs.leave(failed.program, 0.0)
    assert told == [("wf-1", 1), ("wf-1", 1)]

    told.clear()
    served = programs.arrive(asked(Message("user", "a third")), now=0.0)
    answered(programs, served, response="resp_1")
    programs.judge("", workflow_id="wf-2", now=1.0)
    assert told == [("wf-2", 1), ("wf-2", 3), ("wf-2", 0), ("wf-2", 0)]


def test_a_part_is_bounded() -> None:
    """However many choices an answer had."""
    program = Program(tenant="", id="w", ordinal=0, latest=tuple(bytes([n]) for n in range(100)))

    assert own(program).latest == program.latest[:LATEST]


def test_a_request_under_way_is_not_told_as_failed() -> None:
    """Nobody else should take the same question for its retry."""
    program = Program(tenant="", id="w", ordinal=0, in_flight=1)

    assert own(program).answered
