"""What holds of workflow identity for every conversation, layout and order of events."""

import itertools
import json
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from chimera_router.errors import InvalidRequest
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.messages import Message, ToolCall
from chimera_router.parsing.replies import Answer, Reply, ReplyReader
from chimera_router.scheduling.types import Assignment
from chimera_router.workflow.conversation import Conversation
from chimera_router.workflow.evidence import HOLDERS, KEYS
from chimera_router.workflow.identity import FoundBy
from chimera_router.workflow.table import ProgramTable, TableLimits

HERE = Assignment(model="m", endpoint="e")
TASK = Message("user", "task")

texts = st.text(max_size=12)
spaces = st.text(alphabet=" \t\r\n", max_size=3)
call = st.builds(ToolCall, texts, texts, texts)
calls = st.lists(call, max_size=2).map(tuple)
nested = st.recursive(
    st.text(alphabet='[]{}"\\a', max_size=6) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='{"\\', max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


def table(**limits: int) -> ProgramTable:
    ids = itertools.count()
    return ProgramTable(new_id=lambda: str(next(ids)), limits=TableLimits(**limits))


@given(st.lists(texts, max_size=6), st.lists(spaces, min_size=7, max_size=7), calls)
def test_white_space_never_hides_a_reply(words: list[str], gaps: list[str], made: tuple[ToolCall, ...]) -> None:
    """However a client lays out what it was told, it is known again."""
    told = " ".join(words)
    sent = gaps[-1] + "".join(word + gap for word, gap in zip(words, gaps, strict=False))
    keys = Conversation.of([TASK], tenant="").replied([Reply(told, made)])

    turn = Conversation.of([TASK, Message("assistant", sent, made)], tenant="").turns[0]

    assert turn.reply in keys
    assert {turn.opening, *turn.unique} <= set(keys)


@given(st.lists(st.tuples(st.sampled_from(["user", "assistant", "tool"]), texts), min_size=1, max_size=8))
def test_equal_conversations_of_two_tenants_share_no_digest(said: list[tuple[str, str]]) -> None:
    """Not one, so that no table could confuse them."""
    messages = [Message(role, text) for role, text in said]
    digests = []
    for tenant in ("a", "b"):
        asked = Conversation.of(messages, tenant=tenant, previous="resp_1")
        turns = (key for turn in asked.turns for key in (turn.prefix, turn.reply, turn.opening, *turn.unique))
        digests.append({asked.digest, asked.task, asked.previous, *turns})

    assert not digests[0] & digests[1]


@given(nested)
def test_depth_is_that_of_the_value(value: object) -> None:
    """Brackets and quotes inside strings never count."""
    body = json.dumps(value, ensure_ascii=False).encode()

    def depth(inner: object) -> int:
        children = inner.values() if isinstance(inner, dict) else inner if isinstance(inner, list) else None
        return 0 if children is None else 1 + max(map(depth, children), default=0)

    Limits(max_json_depth=depth(value)).check_depth(body)
    if depth(value):
        try:
            Limits(max_json_depth=depth(value) - 1).check_depth(body)
        except InvalidRequest:
            return
        raise AssertionError("a body deeper than the cap passed")


@given(st.lists(st.integers(1, 40), max_size=30), st.text(min_size=1, max_size=12), st.tuples(call, call))
def test_what_was_said_does_not_depend_on_the_cuts(cuts: list[int], text: str, made: tuple[ToolCall, ...]) -> None:
    """The reply is the same however the answer was chunked."""
    pieces = [{"content": character} for character in text]
    for index, call in enumerate(made):
        function = {"name": call.name, "arguments": call.arguments}
        pieces.append({"tool_calls": [{"index": index, "id": call.id or "c", "function": function}]})  # type: ignore[dict-item]
    events = [json.dumps({"choices": [{"index": 0, "delta": piece}]}) for piece in pieces]
    answer = "".join(f"data: {event}\n\n" for event in events).encode() + b"data: [DONE]\n\n"
    reader, start = ReplyReader(), 0
    for cut in [*cuts, len(answer)]:
        reader.feed(answer[start : start + cut])
        start += cut

    said = tuple(ToolCall(call.id or "c", call.name, call.arguments) for call in made)
    assert reader.complete
    assert reader.answer() == Answer((Reply(text, said),))


@given(st.binary(max_size=400))
def test_no_answer_breaks_the_reader(data: bytes) -> None:
    """Whatever an engine sends, reading it raises nothing."""
    for prefix in (b"", b"{", b"data: {", b'data: {"choices":'):
        reader = ReplyReader()
        reader.feed(prefix + data + b"\n")
        reader.answer()


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["ask", "branch", "retry"])), min_size=4, max_size=40),
    st.integers(0, 1),
)
def test_agents_with_replies_of_their_own_never_meet(steps: list[tuple[int, str]], tenants: int) -> None:
    """Four agents begin with the same words, get different replies, branch and try again: each is one workflow."""
    programs, histories = table(), [[TASK] for _ in range(4)]
    owners: dict[str, int] = {}
    for number, (agent, step) in enumerate([*((agent, "ask") for agent in range(4)), *steps]):
        history, tenant = histories[agent], str(agent % 2 * tenants)
        asked = Conversation.of(history, tenant=tenant)
        arrival = programs.arrive(asked, now=0.0)
        assert owners.setdefault(arrival.program.id, agent) == agent
        if step == "retry" and len(history) > 1:
            programs.leave(arrival.program, 0.0)
            continue
        reply = f"reply {number} of agent {agent}"
        programs.remember(arrival.program, asked, Answer((Reply(reply),)), HERE)
        programs.finish(arrival.program, output_tokens=5)
        programs.leave(arrival.program, 0.0)
        if step != "branch" or len(history) == 1:
            history += [Message("assistant", reply), Message("user", f"observation {number}")]

    assert Counter(owners.values()) == Counter(range(4))
    assert all(program.in_flight == 0 for program in programs._store._programs.values())


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.integers(0, 3), st.booleans(), st.floats(0, 3)),
        max_size=60,
    )
)
def test_the_index_holds_what_its_workflows_hold(steps: list[tuple[str, int, int, bool, float]]) -> None:
    """Every digest leads to living workflows that know of it, and to no more than the bounds allow."""
    programs, now = table(programs=5, per_tenant=4), 0.0
    for tenant, task, turns, answered, pause in steps:
        now += pause
        reply = Message("assistant", "a reply " * 40)
        asked = Conversation.of([Message("user", str(task)), *[reply, TASK] * turns], tenant=tenant)
        program = programs.arrive(asked, now=now).program
        if answered:
            programs.remember(program, asked, Answer((Reply(reply.text),), f"resp_{task}"), HERE)
        programs.leave(program, now)
        living = list(programs._store._programs.values())
        led = {(key, holder.id) for key, holders in programs._evidence._holders.items() for holder in holders}
        assert led == {(key, each.id) for each in living for key in each.keys}
        assert all(len(each.keys) <= KEYS and each.responses.keys() <= set(each.keys) for each in living)
        assert all(len(holders) <= HOLDERS for holders in programs._evidence._holders.values())


@given(st.lists(texts, min_size=1, max_size=5), st.sampled_from(["a", "b"]))
def test_a_stranger_is_never_linked(replies: list[str], tenant: str) -> None:
    """A conversation of which nothing was seen by this tenant is a workflow of its own."""
    programs = table()
    history = [TASK]
    for reply in replies:
        asked = Conversation.of(history, tenant="a")
        program = programs.arrive(asked, now=0.0).program
        programs.remember(program, asked, Answer((Reply(reply + "!"),)), HERE)
        history += [Message("assistant", reply + "!"), TASK]
    stranger = history if tenant == "b" else [Message("user", "other"), Message("assistant", "?"), TASK]

    assert programs.arrive(Conversation.of(stranger, tenant=tenant), now=0.0).found_by is FoundBy.NEW
