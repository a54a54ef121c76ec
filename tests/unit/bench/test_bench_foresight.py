"""What is foreseen of recorded tasks."""

from collections.abc import Iterator

import numpy as np
import pytest
from bench_workloads import run, task

from chimera_bench.recorded_predictions import predict_examples
from chimera_bench.recorded_tasks import PoolTasks, read_pool_tasks
from chimera_bench.replay.foresight import averages, predicted, true
from chimera_bench.serving import read_pools, shipped_pools
from chimera_bench.workload import Task
from chimera_router.prediction.bundle import Bundle, default_bundle, read_bundle
from chimera_router.scheduling.types import ModelPrediction
from chimera_training.data import DataError, recorded_folder
from chimera_training.examples import arrange

TASK = task(run("S", (10, 20, 30), success=False), run("L", (40,)))


def prediction(confidence: float, stage: float, remaining: float) -> ModelPrediction:
    return ModelPrediction(confidence=confidence, stage_tokens=stage, remaining_tokens=remaining)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return read_bundle(default_bundle())


@pytest.fixture(scope="module", params=["llama-agents-open", "six-mix-open"])
def tasks(request: pytest.FixtureRequest) -> PoolTasks:
    (pool,) = (pool for pool in read_pools(shipped_pools()) if pool.name == request.param)
    return read_pool_tasks(pool, recorded_folder(), held_out_share=0.3)


def test_the_truth_is_what_was_recorded() -> None:
    """Tokens of the call and of the rest; certain of right and of wrong."""
    predictions = true([TASK]).of("t", 1)

    assert predictions.by_model["S"] == prediction(0.0, 20, 50)


def test_a_run_that_was_shorter_counts_by_its_last_stage() -> None:
    """A model that would have been done may still be asked."""
    assert true([TASK]).of("t", 2).by_model["L"] == prediction(1.0, 40, 40)


def test_averages_are_of_other_tasks() -> None:
    """Share of right answers, and medians of the stages that were reached."""
    training = [
        task(run("S", (2, 4), task="a", success=True)),
        task(run("S", (4, 8), task="b", success=False)),
        task(run("S", (9,), task="c", success=False)),
    ]
    of = averages([TASK], training=training).of

    assert of("t", 0).by_model["S"] == prediction(pytest.approx(1 / 3), 4, 9)
    assert of("t", 1).by_model["S"] == prediction(pytest.approx(1 / 3), 6, 6)


def test_averages_need_training_tasks() -> None:
    """A bundle that was trained on nothing leaves none."""
    with pytest.raises(DataError, match="averages need a task that is not replayed"):
        averages([TASK], training=[])


def test_lengths_and_confidence_may_come_from_two_sources() -> None:
    """So that each can be known while the other is not."""
    guess = averages([TASK], training=[task(run("S", (5,), task="a"), run("L", (6,), task="a", success=False))])
    mixed = true([TASK]).with_confidence_of(guess)

    assert mixed.of("t", 1).by_model["S"] == prediction(1.0, 20, 50)
    assert mixed.of("t", 0).by_model["L"] == prediction(0.0, 40, 40)


def test_an_unknown_task_is_an_error() -> None:
    """Nothing was foreseen of it."""
    with pytest.raises(KeyError):
        true([TASK]).of("other", 0)


def stages(tasks: tuple[Task, ...]) -> Iterator[tuple[str, str, int]]:
    for each in tasks:
        for model, recorded in each.runs.items():
            yield from ((each.task_id, model, stage) for stage in range(len(recorded.stages)))


def test_a_bundle_foresees_what_it_predicts(bundle: Bundle, tasks: PoolTasks) -> None:
    """Each call gets the figures that the same graphs give for the same recorded run, alone."""
    chosen = tasks.unseen[:5]
    foresight = predicted(bundle, chosen)

    for each in chosen:
        for model, recorded in each.runs.items():
            alone = predict_examples(bundle, arrange([], [recorded]), on_done=lambda _: None)
            for stage in range(len(recorded.stages)):
                found = foresight.of(each.task_id, stage).by_model[model]
                expected = [alone.confidence[0, 0], *alone.tokens[:2, stage]]
                figures = [found.confidence, found.stage_tokens, found.remaining_tokens]
                np.testing.assert_allclose(figures, expected, rtol=1e-4)


def test_a_bundle_knows_more_than_averages(bundle: Bundle, tasks: PoolTasks) -> None:
    """On tasks that it was not trained on: closer to what came true, in confidence and in tokens left."""
    truth, guess = true(tasks.unseen), averages(tasks.unseen, training=tasks.training)
    foresight = predicted(bundle, tasks.unseen)
    calls = list(stages(tasks.unseen))

    def figures(source: object, name: str) -> np.ndarray:
        return np.array([getattr(source.of(task_id, stage).by_model[model], name) for task_id, model, stage in calls])

    for name in ("confidence", "remaining_tokens"):
        of_truth = figures(truth, name)
        errors = [np.abs(figures(source, name) - of_truth).mean() for source in (foresight, guess)]
        assert errors[0] < errors[1]


def test_progress_is_told(bundle: Bundle, tasks: PoolTasks) -> None:
    """Every task and call is counted once."""
    told: list[int] = []
    predicted(bundle, tasks.unseen[:5], on_done=told.append)

    assert sum(told) >= sum(1 for _ in stages(tasks.unseen[:5]))


def test_a_bundle_must_know_the_models(bundle: Bundle) -> None:
    """The first unknown one is named."""
    with pytest.raises(DataError, match="the bundle does not know model 'L'"):
        predicted(bundle, [TASK])
