"""One workflow as its agent sees it."""

import pytest
from bench_workloads import run, task

from chimera_bench.filler import estimated_tokens
from chimera_bench.replay.conversation import Conversation, ReplayError

TASK = task(run("S", (5, 6), success=False), run("L", (7, 8, 9), success=True))


def roles(conversation: Conversation) -> list[str]:
    return [message["role"] for message in conversation.messages]


def test_it_begins_with_the_preamble_and_the_task() -> None:
    """The preamble has the recorded length, the task its recorded words."""
    conversation = Conversation(TASK)
    system, user = conversation.messages

    assert (system["role"], estimated_tokens(system["content"])) == ("system", TASK.preamble_tokens)
    assert user == {"role": "user", "content": "task t"}
    assert conversation.goes_on


def test_all_tasks_share_the_words_of_the_preamble() -> None:
    """As the recorded agents did, so that a prefix cache could find them."""
    other = Conversation(task(run("S", (5,), task="other", prompt=100)))
    shorter, longer = sorted((c.messages[0]["content"] for c in (Conversation(TASK), other)), key=len)

    assert longer.startswith(shorter)


def test_a_task_that_comes_again_is_another_conversation() -> None:
    """With a preamble of the same length and other words."""
    first, second = (Conversation(TASK, repetition=repetition).messages[0]["content"] for repetition in (0, 1))

    assert first != second
    assert len(first) == len(second)


def test_a_reply_is_followed_by_what_the_run_of_its_model_says() -> None:
    """The tool's output that this model's own call got."""
    conversation = Conversation(TASK)
    conversation.take("L", "a reply")

    assert conversation.messages[2:] == [
        {"role": "assistant", "content": "a reply"},
        {"role": "user", "content": "L says 1"},
    ]


def test_it_ends_with_the_last_stage_of_the_run() -> None:
    """Then nothing follows the reply, and the outcome is that of the run."""
    conversation = Conversation(TASK)
    for _ in range(3):
        assert conversation.goes_on
        conversation.take("L", "ok")

    assert not conversation.goes_on
    assert conversation.success
    assert roles(conversation)[-1] == "assistant"


def test_another_model_continues_with_its_own_run() -> None:
    """From the same stage, and the outcome is then its own."""
    conversation = Conversation(TASK)
    conversation.take("S", "ok")
    conversation.take("L", "ok")

    assert conversation.messages[-1]["content"] == "L says 2"
    assert conversation.success


def test_another_model_with_a_shorter_run_ends_it() -> None:
    """There is nothing recorded to go on with."""
    conversation = Conversation(TASK)
    conversation.take("L", "ok")
    conversation.take("S", "ok")

    assert not conversation.goes_on
    assert not conversation.success


def test_nothing_is_solved_before_the_first_reply() -> None:
    """A workflow that nobody answered has failed."""
    assert not Conversation(TASK).success


@pytest.mark.parametrize("model", ["", "stranger"])
def test_an_answer_of_a_stranger_ends_the_replay(model: str) -> None:
    """Only models of the pool have runs; a URL without the header is no pool."""
    with pytest.raises(ReplayError, match="x-chimera-model"):
        Conversation(TASK).take(model, "ok")
