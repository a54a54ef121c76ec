"""What is counted of a workflow."""

from chimera_bench.replay.results import StageResult, WorkflowResult


def result(*stages: StageResult) -> WorkflowResult:
    return WorkflowResult(task_id="t", latency=1.0, stages=stages, success=True)


def test_tokens_and_retries_are_summed() -> None:
    """Over all stages."""
    both = result(
        StageResult(model="a", output_tokens=3, retries=1), StageResult(model="a", output_tokens=4, retries=2)
    )

    assert (both.output_tokens, both.retries) == (7, 3)


def test_a_stage_is_kept_where_its_predecessor_was() -> None:
    """The first stage is nobody's successor."""
    moved = result(*(StageResult(model=model) for model in ("a", "a", "b", "b", "a")))

    assert (moved.later_stages, moved.kept_stages, moved.model) == (4, 2, "a")


def test_a_workflow_that_was_given_up_has_no_model() -> None:
    """And the stage that failed was kept nowhere."""
    lost = result(StageResult(model="a"), StageResult(model=None, retries=7))

    assert (lost.model, lost.kept_stages, lost.retries) == (None, 0, 7)


def test_a_single_stage_has_nothing_to_keep() -> None:
    """One request, no successor."""
    assert (result(StageResult(model="a")).later_stages, result(StageResult(model="a")).kept_stages) == (0, 0)
