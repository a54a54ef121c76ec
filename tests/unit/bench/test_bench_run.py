"""One workflow of a replay: its requests and their recorded answers."""

import pytest
from bench_workloads import at, run
from pools import decision

from chimera_bench.replay.run import Run
from chimera_router.scheduling.orders import EPOCH
from chimera_router.scheduling.types import Assignment, Endpoint

LARGE = decision(Endpoint(name="L-0", address="L-0", model="L"), rank=7)


@pytest.fixture
def workflow() -> Run:
    return Run(arrival=at(2.0, run("S", (8, 4), prompt=100, success=False), run("L", (6, 3), prompt=300)), ordinal=5)


def test_before_a_model_is_chosen_a_request_is_as_long_as_on_average(workflow: Run) -> None:
    """Tokenizers differ; the picker estimates one length for all of them."""
    request = workflow.request(3.0)

    assert (request.workflow, request.prompt_tokens, request.arrival) == (5, 200, EPOCH + 3.0)
    assert (request.tokens_so_far, request.assignment) == (0, None)


def test_a_later_request_is_that_of_the_chosen_models_run(workflow: Run) -> None:
    """With what the workflow has had so far, and where."""
    workflow.assign(LARGE, workflow.request(2.0))
    assert workflow.answered("L")
    request = workflow.request(4.0)

    assert (request.prompt_tokens, request.tokens_so_far) == (600, 6)
    assert request.assignment == Assignment(model="L", endpoint="L-0", seen_tokens=200)


def test_the_engine_gets_what_was_recorded(workflow: Run) -> None:
    """Its tokens, its place in the queue, its conversation, a name of its own for each stage."""
    first = workflow.generation(LARGE)
    workflow.answered("L")
    second = workflow.generation(LARGE)

    assert (first.prompt_tokens, first.output_tokens, first.priority) == (300, 6, 7)
    assert first.conversation == second.conversation
    assert first.id != second.id


def test_it_ends_where_the_run_of_its_model_ends(workflow: Run) -> None:
    """As that model's run is recorded: here the small model is wrong."""
    assert [workflow.answered("S"), workflow.answered("S")] == [True, False]
    result = workflow.result(9.0)

    assert (result.model, result.success, result.latency, result.output_tokens) == ("S", False, 7.0, 12)


def test_a_workflow_that_is_given_up_has_solved_nothing(workflow: Run) -> None:
    """Whatever its earlier stages were; its last one counts the attempts."""
    workflow.answered("L")
    workflow.retries = 3
    workflow.give_up()
    result = workflow.result(9.0)

    assert (result.model, result.success, result.retries) == (None, False, 3)


def test_retries_are_counted_for_each_request(workflow: Run) -> None:
    """An answer begins anew."""
    workflow.retries = 2
    workflow.answered("L")
    workflow.answered("L")

    assert [stage.retries for stage in workflow.stages] == [2, 0]
