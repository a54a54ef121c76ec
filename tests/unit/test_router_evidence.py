import itertools

import pytest

from chimera_router.errors import UnknownResponse
from chimera_router.parsing.messages import Message, ToolCall
from chimera_router.parsing.replies import Answer, Reply
from chimera_router.scheduling.types import Assignment
from chimera_router.workflow.conversation import Conversation
from chimera_router.workflow.evidence import HOLDERS, KEYS, RETRY_WINDOW, EvidenceIndex
from chimera_router.workflow.identity import Claim, FoundBy
from chimera_router.workflow.program import Program
from chimera_router.workflow.table import Arrival, ProgramTable, TableLimits

SYSTEM = Message("system", "be brief")
TASK = Message("user", "solve it")
SEEN = Message("user", "observation")
HERE = Assignment(model="large", endpoint="127.0.0.1:2", seen_tokens=7)


def plan(words: str) -> Message:
    """Return a reply that is long enough to tell its workflow where the task is known."""
    return Message("assistant", f"{words}: first look around, then take the next step")


def essay(words: str) -> Message:
    """Return a reply that no other workflow gives."""
    return Message("assistant", f"{words} and so on " * 30)


class Client:
    """Sends requests to one table, whose answers come when told to."""

    def __init__(self, **limits: float) -> None:
        ids = itertools.count()
        bounds = TableLimits(**limits)  # type: ignore[arg-type]
        self.table = ProgramTable(new_id=lambda: f"wf-{next(ids)}", limits=bounds)
        self.now = 0.0

    def send(
        self, *messages: Message, tenant: str = "", previous: str = "", claim: Claim | None = None, retry: bool = False
    ) -> Arrival:
        conversation = Conversation.of(messages, tenant=tenant, previous=previous)
        return self.table.arrive(conversation, claim=claim, retry=retry, now=self.now)

    def answer(self, arrival: Arrival, *replies: Message, response: str = "", tokens: int = 10) -> None:
        said = tuple(Reply(reply.text, reply.calls) for reply in replies)
        self.table.remember(arrival.program, arrival.conversation, Answer(said, response), HERE)
        self.table.finish(arrival.program, output_tokens=tokens)
        self.table.leave(arrival.program, self.now)

    def fail(self, arrival: Arrival) -> None:
        self.table.leave(arrival.program, self.now)

    def ask(self, *messages: Message, reply: Message, tenant: str = "") -> Arrival:
        arrival = self.send(*messages, tenant=tenant)
        self.answer(arrival, reply)
        return arrival


def test_equal_first_requests_are_told_apart_by_their_replies() -> None:
    """Each goes on with what it was told, whichever was asked first and however long the answers were."""
    client = Client()
    one, other = client.ask(TASK, reply=plan("a")), client.ask(TASK, reply=plan("b"))

    assert client.send(TASK, plan("b"), SEEN).program is other.program
    assert client.send(TASK, plan("a"), SEEN).program is one.program


def test_equal_first_requests_with_short_replies_are_told_apart() -> None:
    """Even a word tells, after the same messages."""
    client = Client()
    yes = client.ask(TASK, reply=Message("assistant", "Yes."))
    no = client.ask(TASK, reply=Message("assistant", "No."))

    assert client.send(TASK, Message("assistant", "No."), SEEN).program is no.program
    assert client.send(TASK, Message("assistant", "Yes. "), SEEN).program is yes.program


def test_of_equal_workflows_the_one_that_waits_goes_on() -> None:
    """Two that asked and were told the same go on one after the other, not one of them twice."""
    client = Client()
    twins = [client.ask(TASK, reply=plan("a")).program for _ in range(2)]

    assert [client.send(TASK, plan("a"), SEEN).program for _ in range(2)] == twins


def test_parallel_calls_from_one_reply_are_one_workflow() -> None:
    """Two requests that extend the same request and reply are branches of it."""
    client = Client()
    root = client.ask(TASK, reply=plan("a"))

    branches = [client.send(TASK, plan("a"), Message("user", name)) for name in ("left", "right")]

    assert [branch.program for branch in branches] == [root.program] * 2
    assert root.program.stage == 2


def test_every_branch_goes_on() -> None:
    """Branches that were answered are both continued, in any order."""
    client = Client()
    client.ask(TASK, reply=plan("a"))
    left, right = ((TASK, plan("a"), Message("user", name)) for name in ("left", "right"))
    arrivals = [client.send(*left), client.send(*right)]
    client.answer(arrivals[1], essay("r"))
    client.answer(arrivals[0], essay("l"))

    later = [client.send(*left, essay("l"), SEEN), client.send(*right, essay("r"), SEEN)]

    assert {arrival.program for arrival in (*arrivals, *later)} == {arrivals[0].program}


def test_a_sub_agent_of_its_own_is_another_workflow() -> None:
    """Another preamble and no common reply: nothing tells that they belong together, but a header may."""
    client = Client()
    claim = Claim("run-7", FoundBy.HEADER)
    root = client.send(SYSTEM, TASK, claim=claim)

    assert client.send(Message("system", "you search"), TASK).program is not root.program
    assert client.send(Message("system", "you search"), TASK, claim=claim).program is root.program


def test_a_sub_agent_with_the_parents_reply_is_its_workflow() -> None:
    """Another preamble over the same history is a branch."""
    client = Client()
    root = client.ask(SYSTEM, TASK, reply=plan("a"))

    assert client.send(Message("system", "you criticise"), TASK, plan("a"), SEEN).program is root.program


def test_first_request_again_after_it_failed_is_a_retry() -> None:
    """The same words soon after a failure are the same client; it is no later stage."""
    client = Client()
    first = client.send(TASK)
    client.fail(first)
    client.now = 8.0

    again = client.send(TASK)

    assert (again.program, again.program.stage, again.found_by) == (first.program, 0, FoundBy.MESSAGES)


@pytest.mark.parametrize("state", ["in flight", "answered", "long ago"])
def test_first_request_again_is_otherwise_somebody_else(state: str) -> None:
    """While it is in flight, after its answer and after a while the same words are another workflow's."""
    client = Client()
    first = client.send(TASK)
    if state == "answered":
        client.answer(first, plan("a"))
    if state == "long ago":
        client.fail(first)
        client.now = RETRY_WINDOW + 1

    assert client.send(TASK).program is not first.program


def test_a_stated_retry_is_one_even_in_flight() -> None:
    """An SDK may try again before the picker knows that its first attempt is over."""
    client = Client()
    first = client.send(TASK)

    assert client.send(TASK, retry=True).program is first.program
    assert client.send(SEEN, retry=True).program is not first.program


def test_later_request_again_is_a_retry_unless_a_twin_waits_there() -> None:
    """A failed request is repeated by its own workflow; an answered one goes to the equal workflow that waits."""
    client = Client()
    one, other = client.ask(TASK, reply=plan("a")), client.ask(TASK, reply=plan("a"))
    failed = client.send(TASK, plan("a"), SEEN)
    client.fail(failed)

    again = client.send(TASK, plan("a"), SEEN)
    client.answer(again, plan("b"))

    assert failed.program is again.program is one.program
    assert client.send(TASK, plan("a"), SEEN).program is other.program
    assert one.program.stage == 1


@pytest.mark.parametrize(
    "history",
    [
        pytest.param([SYSTEM, TASK, plan("b"), SEEN], id="dropped turn"),
        pytest.param([SYSTEM, TASK, Message("user", "summary"), plan("b"), SEEN], id="summarised turn"),
        pytest.param([SYSTEM, TASK, plan("a"), plan("b"), SEEN], id="dropped observation"),
        pytest.param([SYSTEM, TASK, plan("a"), Message("user", "shortened"), plan("b"), SEEN], id="edited observation"),
        pytest.param([Message("system", "12:01"), TASK, plan("a"), SEEN, plan("b"), SEEN], id="edited preamble"),
        pytest.param([SYSTEM, TASK, plan("a"), SEEN, Message("assistant", "[cut]"), SEEN], id="hidden last reply"),
    ],
)
def test_edited_history_is_known_by_the_replies_it_keeps(history: list[Message]) -> None:
    """A reply that was given to this task is enough, wherever it stands and whatever stands around it."""
    client = Client()
    client.ask(SYSTEM, TASK, reply=plan("z"))
    mine = client.ask(SYSTEM, TASK, reply=plan("a"))
    client.ask(SYSTEM, TASK, plan("a"), SEEN, reply=plan("b"))
    assert mine.program.stage == 1

    assert client.send(*history).program is mine.program


@pytest.mark.parametrize("reply", [essay("a"), Message("assistant", "", (ToolCall("call_" + "x" * 24, "f", "{}"),))])
def test_history_without_its_task_is_known_by_a_reply_of_its_own(reply: Message) -> None:
    """A long reply or the id of a tool call belongs to one workflow only."""
    client = Client()
    mine = client.ask(SYSTEM, TASK, reply=reply)

    assert client.send(SYSTEM, Message("user", "summary"), reply, SEEN).program is mine.program


def test_a_reply_given_to_many_tells_nothing_without_its_task() -> None:
    """A refusal in the same words belongs to everybody."""
    client = Client()
    for number in range(2):
        client.ask(Message("user", f"task {number}"), reply=essay("I am sorry"))

    arrival = client.send(Message("user", "task 9"), essay("I am sorry"), SEEN)

    assert arrival.found_by is FoundBy.NEW


def test_a_short_reply_in_an_edited_history_tells_nothing() -> None:
    """`Yes` after other messages is no evidence."""
    client = Client()
    client.ask(SYSTEM, TASK, reply=Message("assistant", "Yes."))

    arrival = client.send(Message("system", "other"), TASK, Message("assistant", "Yes."), SEEN)

    assert arrival.found_by is FoundBy.NEW


def test_a_reply_that_the_client_cut_is_known_by_its_beginning() -> None:
    """Of several that asked the same the one whose reply began so goes on, whatever the lengths say."""
    client = Client()
    first, second = essay("alpha"), essay("beta")
    one, other = client.ask(TASK, reply=first), client.ask(TASK, reply=second)

    assert client.send(TASK, Message("assistant", second.text[:120]), SEEN).program is other.program
    assert client.send(TASK, Message("assistant", first.text[:120]), SEEN).program is one.program


def test_the_longest_shared_run_decides_between_equal_replies() -> None:
    """Where the latest reply was given to two workflows, the reply before it tells them apart."""
    client = Client()
    for name in ("a", "b"):
        client.ask(SYSTEM, TASK, reply=plan(name))
    programs = [client.ask(SYSTEM, TASK, plan(name), SEEN, reply=plan("same")).program for name in ("a", "b")]

    found = [client.send(TASK, plan(name), plan("same"), SEEN).program for name in ("b", "a")]

    assert found == programs[::-1]


def test_tenants_with_equal_texts_never_meet() -> None:
    """Not by messages, not by replies, not by tool calls, not by responses."""
    client = Client()
    call = Message("assistant", "", (ToolCall("call_" + "x" * 24, "f", "{}"),))
    arrival = client.send(TASK, tenant="a")
    client.answer(arrival, essay("e"), call, response="resp_1")

    for reply in (essay("e"), call):
        assert client.send(TASK, reply, SEEN, tenant="b").found_by is FoundBy.NEW
    with pytest.raises(UnknownResponse):
        client.send(SEEN, tenant="b", previous="resp_1")


def test_a_response_is_continued_where_it_is_kept() -> None:
    """The id of a response finds its workflow, and the engine that holds it."""
    client = Client()
    first = client.send(TASK)
    client.answer(first, plan("a"), response="resp_1")

    second = client.send(SEEN, previous="resp_1")

    assert (second.program, second.found_by, second.held) == (first.program, FoundBy.RESPONSE, HERE)
    assert second.program.stage == 1


def test_a_stated_workflow_does_not_move_a_response() -> None:
    """A header names the workflow, and the response stays where it is kept."""
    client = Client()
    client.answer(client.send(TASK), plan("a"), response="resp_1")

    arrival = client.send(SEEN, previous="resp_1", claim=Claim("run-7", FoundBy.HEADER))

    assert (arrival.program.id, arrival.held) == ("run-7", HERE)


def test_an_unknown_response_is_refused_and_leaves_nothing() -> None:
    """Nobody knows which engine keeps it, or whose it is."""
    client = Client()

    with pytest.raises(UnknownResponse):
        client.send(SEEN, previous="resp_9")
    assert len(client.table) == 0


def test_an_answer_after_the_workflow_was_forgotten_is_forgotten() -> None:
    """What is dropped leaves no digest behind, and late answers add none."""
    client = Client(programs=1)
    late = client.send(TASK)
    client.send(SEEN)
    client.answer(late, essay("a"), response="resp_1")

    assert (len(client.table), len(client.table._evidence)) == (1, 1)


def test_digests_of_a_workflow_are_bounded() -> None:
    """The oldest are forgotten, and with them where their responses are kept."""
    client, history = Client(), [TASK]
    for number in range(KEYS):
        arrival = client.send(*history)
        client.answer(arrival, essay(str(number)), response=f"resp_{number}")
        history += [essay(str(number)), SEEN]

    program = client.send(*history).program

    assert len(client.table) == 1
    assert len(client.table._evidence) == len(program.keys) == KEYS
    assert len(program.responses) <= KEYS / 4
    with pytest.raises(UnknownResponse):
        client.send(SEEN, previous="resp_0")


def test_workflows_of_a_digest_are_bounded() -> None:
    """A prompt that everybody sends does not grow without end, and forgetting everybody leaves nothing."""
    index = EvidenceIndex()
    programs = [Program(tenant="", id=str(number), ordinal=number) for number in range(HOLDERS + 5)]
    for program in programs:
        index.add(program, (b"same", b"own" + program.id.encode()))

    assert index.holders(b"same") == tuple(programs[5:])
    for program in programs:
        index.forget(program)
    assert len(index) == 0
