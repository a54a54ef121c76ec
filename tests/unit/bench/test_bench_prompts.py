"""What identifies a prompt."""

from chimera_bench.engine.prompts import Message, prompt_of

SYSTEM, TASK = Message("system", "Be brief."), Message("user", "What is 2 + 2?")
REPLY, RESULT = Message("assistant", "4"), Message("user", "Sure?")


def test_the_task_is_the_last_user_message_before_the_first_reply() -> None:
    """Examples may stand before it, later turns do not change it."""
    prompt = prompt_of([SYSTEM, Message("user", "Hello"), TASK, REPLY, RESULT])

    assert prompt.task == TASK.text


def test_the_stage_counts_replies() -> None:
    """A workflow's first request has stage 0."""
    assert [prompt_of(messages).stage for messages in ([TASK], [TASK, REPLY], [TASK, REPLY, RESULT, REPLY])] == [
        0,
        1,
        2,
    ]


def test_stages_of_a_workflow_are_one_conversation() -> None:
    """What comes after the first reply does not change which conversation it is."""
    assert prompt_of([SYSTEM, TASK]).conversation == prompt_of([SYSTEM, TASK, REPLY, RESULT]).conversation


def test_other_openings_are_other_conversations() -> None:
    """Another system message or task begins another conversation, also where the joined text is equal."""
    openings = ([SYSTEM, TASK], [TASK], [Message("user", "ab"), Message("user", "c")], [Message("user", "abc")])

    assert len({prompt_of(opening).conversation for opening in openings}) == 4


def test_equal_prompts_only_have_equal_seeds() -> None:
    """A retry draws what the first attempt drew; the next stage draws anew."""
    assert prompt_of([SYSTEM, TASK]).seed == prompt_of([SYSTEM, TASK]).seed
    assert prompt_of([SYSTEM, TASK]).seed != prompt_of([SYSTEM, TASK, REPLY, RESULT]).seed


def test_a_prompt_has_at_least_one_token() -> None:
    """Even an empty one: the engine has something to compute."""
    assert prompt_of([Message("user", "")]).tokens == 1


def test_tokens_are_those_of_all_messages() -> None:
    """A prompt is the whole conversation."""
    assert prompt_of([Message("user", "x" * 40), Message("assistant", "y" * 80)]).tokens == 30


def test_a_prompt_without_a_user_has_no_task() -> None:
    """Nobody asked anything that could be known."""
    assert prompt_of([SYSTEM]).task == ""


def test_half_a_surrogate_pair_is_text_like_any_other() -> None:
    """JSON may carry it, so it must not break the identification."""
    assert prompt_of([Message("user", "\ud800")]).tokens == 1
