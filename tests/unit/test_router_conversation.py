import pytest

from chimera_router.parsing.messages import Message, ToolCall
from chimera_router.parsing.replies import Reply
from chimera_router.workflow.conversation import LATEST_TURNS, Conversation, Turn, response_key

SYSTEM = Message("system", "be brief")
TASK = Message("user", "solve it")
CALL = ToolCall("chatcmpl-tool-0123456789abcdef", "look", '{"at": "x"}')
LONG = "a step of the plan " * 20


def said(text: str = "", *calls: ToolCall) -> Message:
    return Message("assistant", text, calls)


def last_turn(*messages: Message, tenant: str = "") -> Turn:
    return Conversation.of(messages, tenant=tenant).turns[0]


def asked(*messages: Message, tenant: str = "") -> Conversation:
    return Conversation.of(messages, tenant=tenant)


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        pytest.param("  one\n\n two ", "one two", id="white space"),
        pytest.param("<think>hm</think>\n42", "42", id="thoughts"),
        pytest.param("hm</think>42", "42", id="thoughts that the template began"),
        pytest.param("é\ud800", "é \ud800", id="broken text"),
    ],
)
def test_a_reply_is_known_however_clients_lay_it_out(told: str, sent: str) -> None:
    """White space and what was thought aloud are not part of what was said."""
    keys = asked(SYSTEM, TASK).replied([Reply(told)])

    assert last_turn(SYSTEM, TASK, said(sent)).reply in keys


def test_a_call_is_known_in_any_layout_of_its_arguments() -> None:
    """Frameworks write the JSON of arguments anew."""
    keys = asked(TASK).replied([Reply("", (CALL,))])

    turn = last_turn(TASK, said("", ToolCall(CALL.id, CALL.name, '{"at":"x"}')))

    assert turn.reply in keys
    assert set(turn.unique) <= set(keys)


def test_another_reply_task_or_tenant_has_other_digests() -> None:
    """Nothing is shared by what differs in one of the three."""
    keys = set(asked(SYSTEM, TASK).replied([Reply(LONG)]))

    assert last_turn(SYSTEM, TASK, said(LONG)).reply in keys
    assert last_turn(SYSTEM, TASK, said(LONG + "x")).reply not in keys
    assert last_turn(SYSTEM, Message("user", "another"), said(LONG)).reply not in keys
    other = last_turn(SYSTEM, TASK, said(LONG), tenant="b")
    assert not {other.reply, other.opening, *other.unique} & keys


def test_every_choice_of_an_answer_may_be_continued() -> None:
    """A client goes on with any of them."""
    keys = asked(TASK).replied([Reply("first"), Reply("second")])

    assert {last_turn(TASK, said("first")).reply, last_turn(TASK, said("second")).reply} <= set(keys)


def test_long_replies_and_random_ids_stand_alone() -> None:
    """They are known even where the task is gone; counters and short words are not."""
    keys = set(asked(TASK).replied([Reply(LONG), Reply("", (CALL,)), Reply("yes", (ToolCall("call_0", "f", ""),))]))

    assert set(last_turn(said("x"), said(LONG)).unique) & keys
    assert set(last_turn(SYSTEM, said("", CALL)).unique) & keys
    assert not last_turn(SYSTEM, said("yes", ToolCall("call_0", "f", ""))).unique


def test_a_short_reply_says_nothing_by_itself() -> None:
    """`Yes` is said in every workflow."""
    assert not last_turn(TASK, said("Yes.")).telling
    assert last_turn(TASK, said(LONG)).telling


def test_a_cut_reply_keeps_its_opening() -> None:
    """A client that drops the end of a reply keeps its beginning."""
    keys = asked(TASK).replied([Reply(LONG)])

    assert last_turn(TASK, said(LONG[:200])).opening in keys


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(Message("user", "a", attachments=b"x"), Message("user", "a", attachments=b"y"), id="images"),
        pytest.param(Message("tool", "a", answers="c-1"), Message("tool", "a", answers="c-2"), id="calls answered"),
        pytest.param(said("", CALL), said("", ToolCall(CALL.id, "other", CALL.arguments)), id="functions"),
        pytest.param(Message("user", "a"), Message("system", "a"), id="roles"),
    ],
)
def test_messages_that_differ_in_anything_are_two_conversations(one: Message, other: Message) -> None:
    """Not only the text counts."""
    assert asked(one).digest != asked(other).digest


def test_prefix_of_a_turn_is_what_was_asked_before_it() -> None:
    """The digest of an earlier request is the prefix of its reply."""
    assert last_turn(SYSTEM, TASK, said("x"), TASK).prefix == asked(SYSTEM, TASK).digest


def test_turns_come_latest_first_and_are_bounded() -> None:
    """However long a history is, only its latest replies are looked at."""
    history = [message for number in range(100) for message in (TASK, said(str(number)))]

    turns = asked(*history).turns

    assert len(turns) == LATEST_TURNS
    assert turns[0].reply == last_turn(TASK, said("99")).reply


def test_a_conversation_that_begins_with_a_reply_has_no_turn_there() -> None:
    """Nothing was asked before it."""
    assert not asked(said("hello"), TASK).turns


def test_equal_words_after_two_responses_are_two_questions() -> None:
    """The response that a request goes on from is part of what it asks."""
    one, other = (Conversation.of([TASK], tenant="", previous=name) for name in ("resp_1", "resp_2"))

    assert one.digest != other.digest
    assert one.previous == response_key("", "resp_1") != response_key("b", "resp_1")
    assert asked(TASK).previous == b""
