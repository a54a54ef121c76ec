"""How long an answer is."""

from collections import Counter

import pytest
from bench_workloads import run

from chimera_bench.engine.prompts import Message, Prompt, prompt_of
from chimera_bench.engine.recording import RECORDED_CHARACTERS, Recording, read_recording, recorded_tokens
from chimera_training.data import PromptOutcome, recorded_folder


def asked(task: str, *, stage: int = 0, last: str = "next") -> Prompt:
    turns = [message for _ in range(stage) for message in (Message("assistant", "ok"), Message("user", last))]
    return prompt_of([Message("user", task), *turns])


def outcome(text: str, tokens: int) -> PromptOutcome:
    return PromptOutcome("set", "set", text, text, 10, "m", 1.0, success=True, output_tokens=tokens)


def test_a_known_stage_has_its_recorded_length() -> None:
    """Task and number of replies say which recorded answer it is."""
    recording = Recording(recorded_tokens([run("m", (30, 20, 10))]), [1], seed=0)

    assert [recording.output_tokens(asked("task t", stage=stage)) for stage in range(3)] == [30, 20, 10]


def test_an_unknown_prompt_draws_from_the_recorded_lengths() -> None:
    """Each recorded length is as likely as any other."""
    recording = Recording({}, [10, 20, 30], seed=0)
    drawn = Counter(recording.output_tokens(asked(f"new {index}")) for index in range(600))

    assert set(drawn) == {10, 20, 30}
    assert min(drawn.values()) > 150


def test_a_stage_beyond_the_recorded_run_is_unknown() -> None:
    """The client goes on where the recorded agent had stopped."""
    recording = Recording(recorded_tokens([run("m", (30, 20))]), [7], seed=0)

    assert recording.output_tokens(asked("task t", stage=2)) == 7


def test_the_same_prompt_draws_the_same_length() -> None:
    """A retry, and a second engine with the same seed, give the answer that the first gave."""
    lengths = range(1, 10_000)
    first, second = (Recording({}, lengths, seed=3).output_tokens(asked("new")) for _ in range(2))

    assert first == second


def test_seeds_draw_differently() -> None:
    """Replicas with seeds of their own do not move in step."""
    lengths = range(1, 10_000)

    assert len({Recording({}, lengths, seed=seed).output_tokens(asked("new")) for seed in range(20)}) > 15


def test_later_turns_change_the_draw() -> None:
    """The stages of an unknown workflow are not all equally long."""
    recording = Recording({}, range(1, 10_000), seed=0)

    assert len({recording.output_tokens(asked("new", stage=1, last=str(index))) for index in range(20)}) > 15


def test_the_first_trial_counts() -> None:
    """Repetitions of a run do not overwrite it, in whatever order they come."""
    runs = [run("m", (5,), trial=1), run("m", (30,), trial=0)]

    assert recorded_tokens(runs) == {("task t", 0): 30}


def test_single_answers_are_known_where_no_workflow_is() -> None:
    """A prompt of the outcomes counts as a workflow of one stage; a recorded workflow goes before it."""
    tokens_of = recorded_tokens([run("m", (30,))], [outcome("task t", 4), outcome("question", 6)])

    assert tokens_of == {("task t", 0): 30, ("question", 0): 6}


def test_an_empty_answer_has_one_token() -> None:
    """An engine makes at least the token that ends the answer."""
    assert recorded_tokens([run("m", (0,))]) == {("task t", 0): 1}


def test_a_long_task_is_known_by_its_beginning() -> None:
    """Recordings keep the first characters of a message only."""
    recording = Recording({("x" * RECORDED_CHARACTERS, 0): 12}, [1], seed=0)

    assert recording.output_tokens(asked("x" * RECORDED_CHARACTERS + " and more")) == 12


def test_the_recorded_data_holds_the_demo_models() -> None:
    """Tasks of the data in the package have their recorded lengths."""
    recording = read_recording(recorded_folder(), "Meta-Llama-3-8B-Instruct", seed=0)
    known = recording._tokens_of

    (task, stage), tokens = next(iter(known.items()))
    assert recording.output_tokens(asked(task, stage=stage)) == tokens
    assert len(known) > 500


@pytest.mark.parametrize("seed", [0, 1])
def test_a_model_that_nobody_recorded_draws_from_all(seed: int) -> None:
    """Any model can be simulated: its lengths are then those of the others."""
    recording = read_recording(recorded_folder(), "no-such-model", seed=seed)

    assert not recording._tokens_of
    assert recording.output_tokens(asked("new")) >= 1
