from dataclasses import replace

import pytest
from recordings import MODELS, prompt_rows, workflow_rows

from chimera_training.data import DataError
from chimera_training.examples import Examples, examples
from chimera_training.features import message_measures
from chimera_training.split import Split


def test_every_answer_and_every_workflow_is_one_outcome(small_examples: Examples) -> None:
    """60 prompts and 60 tasks, each by every model."""
    assert len(small_examples.outcomes.task) == 120 * len(MODELS)
    assert small_examples.models == tuple(sorted(MODELS))
    assert small_examples.parameters_b == tuple(MODELS[name] for name in sorted(MODELS))
    assert small_examples.domains == ("code", "sums")


def test_the_text_of_a_workflow_is_its_task_at_every_stage(small_examples: Examples) -> None:
    """What a tool said later is not the task."""
    assert len(small_examples.tasks.ids) == 120
    assert not any("observation" in text for text in small_examples.tasks.texts)


def test_a_call_knows_what_came_before_it_and_nothing_else() -> None:
    """Stage, tokens so far and last tokens count earlier stages only; remaining counts this one and later ones."""
    big = [row for row in workflow_rows() if row.model == "Big-70B-Chat"]

    calls = examples([], big).calls

    assert calls.known[:3].tolist() == [[900, 0, 0, 0, 0], [1100, 1, 150, 150, 150], [1300, 2, 270, 120, 150]]
    assert calls.stage_tokens[:3].tolist() == [150, 120, 90]
    assert calls.remaining_tokens[:3].tolist() == [360, 210, 90]
    assert calls.stages_left[:4].tolist() == [3, 2, 1, 3]
    assert calls.success[:3].tolist() == [0, 0, 0]


def test_a_message_is_measured_from_the_second_stage_on() -> None:
    """The first stage's message is the task, which has measures of its own."""
    big = [row for row in workflow_rows() if row.model == "Big-70B-Chat"]

    messages = examples([], big).calls.messages[:3].tolist()

    assert messages[0] == list(message_measures(""))
    assert messages[1] == messages[2] == list(message_measures("observation: it failed"))


def test_choosing_tasks_keeps_their_rows_together(small_examples: Examples, small_split: Split) -> None:
    """`of` keeps exactly the rows of the marked tasks."""
    chosen = small_split.held_out

    outcomes, calls = small_examples.outcomes.of(chosen), small_examples.calls.of(chosen)

    assert chosen[outcomes.task].all()
    assert chosen[calls.task].all()
    assert len(outcomes.task) == len(MODELS) * chosen.sum()


def test_the_one_turn_repeats_of_agent_tasks_are_left_out() -> None:
    """A text cannot tell whether one turn or five are allowed."""
    repeats = [replace(row, task_set="mint-1turn") for row in prompt_rows()]

    assert examples(repeats, workflow_rows()).domains == ("code",)


def test_a_task_in_other_words_is_another_task() -> None:
    """Dialogues begin differently in every trial."""
    rows = [replace(row, text=f"{row.text} trial {number}") for number in range(3) for row in prompt_rows()]

    assert len(examples(rows, []).tasks.ids) == 180


def test_outcomes_of_one_model_are_its_own(small_examples: Examples) -> None:
    """`by` keeps exactly its rows."""
    own = small_examples.outcomes.by(1)

    assert (own.model == 1).all()
    assert len(own.task) == 120


def test_too_few_tasks_are_refused() -> None:
    """With a handful of tasks no split says anything."""
    with pytest.raises(DataError, match="20 tasks or more"):
        examples(prompt_rows(5), workflow_rows(5))


def test_no_rows_are_refused() -> None:
    """Empty files are data errors, not crashes."""
    with pytest.raises(DataError, match="20 tasks or more"):
        examples([], [])
