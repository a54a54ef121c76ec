import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera_training.data import DataError
from chimera_training.examples import Examples, Outcomes
from chimera_training.pools import Pool
from chimera_training.resampling import task_weights
from chimera_training.routing import apgr, argmax_score, best_single_score, oracle_score, pool_figures

# Three tasks, two models: each model alone answers one of the tasks that the other does not.
SUCCESS = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])

WEIGHTS = task_weights(120, resamples=20)  # of the small examples' tasks; those of fewer tasks are the first of them

gains = st.lists(st.tuples(st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-1, 1)), min_size=1, max_size=30)


def test_scores_are_shares_of_right_answers() -> None:
    """The best model alone, a perfect choice, and the choice of the most confident."""
    confidence = np.array([[0.9, 0.1], [0.6, 0.5], [0.2, 0.8]])

    assert best_single_score(SUCCESS) == pytest.approx(2 / 3)
    assert oracle_score(SUCCESS) == 1.0
    assert argmax_score(SUCCESS, confidence) == pytest.approx(2 / 3)


def test_the_first_of_equally_confident_models_is_chosen() -> None:
    """So the order of the pool decides, and the answer is the same every time."""
    assert argmax_score(SUCCESS, np.full((3, 2), 0.5)) == pytest.approx(1 / 3)


def test_moving_the_right_tasks_first_recovers_most() -> None:
    """Of two tasks one gains: moved first it closes the gap at half the share, an area of 3/4."""
    gain = np.array([1.0, 0.0])

    assert apgr(gain, np.array([0.9, 0.1])) == pytest.approx(0.75)
    assert apgr(gain, np.array([0.1, 0.9])) == pytest.approx(0.25)


def test_predictions_that_do_not_differ_recover_half() -> None:
    """As a random order does."""
    assert apgr(np.array([1.0, 0.0, 0.0, 1.0]), np.zeros(4)) == pytest.approx(0.5)


@pytest.mark.parametrize("gain", [[0.0, 0.0], [-1.0, 0.0]])
def test_without_a_gap_nothing_can_be_recovered(gain: list[float]) -> None:
    """A large model that is no better leaves the figure out."""
    assert apgr(np.array(gain), np.array([0.1, 0.2])) is None


@given(gains)
def test_the_order_of_the_tasks_does_not_matter(pairs: list[tuple[float, float]]) -> None:
    """Ties are averaged, so only the predicted order counts."""
    gain, predicted = np.array(pairs).T

    forwards, backwards = apgr(gain, predicted), apgr(gain[::-1], predicted[::-1])

    assert forwards == pytest.approx(backwards) if forwards is not None else backwards is None


@given(gains)
def test_an_order_and_its_reverse_recover_one_together(pairs: list[tuple[float, float]]) -> None:
    """What comes late in one comes early in the other."""
    gain, predicted = np.array(pairs).T

    area, reverse = apgr(gain, predicted), apgr(gain, -predicted)

    if area is not None and reverse is not None:
        assert area + reverse == pytest.approx(1.0)


def test_a_perfect_predictor_has_perfect_figures(small_examples: Examples) -> None:
    """Confidence 1 where the answer is right and 0 where it is wrong."""
    pool = Pool(name="sums", task_sets=("sums",), models=("Small-7B-Chat", "Big-70B-Chat"))
    confidence = _successes(small_examples)

    figures = pool_figures(pool, small_examples, confidence, WEIGHTS)

    assert figures.auc == {"Small-7B-Chat": 1.0, "Big-70B-Chat": None}
    assert (figures.auc_mean, figures.brier, figures.ece) == (1.0, 0.0, 0.0)
    assert (figures.argmax_score, figures.best_single_score, figures.oracle_score) == (1.0, 1.0, 1.0)
    assert figures.apgr == pytest.approx(0.75)
    assert figures.brier_constant == pytest.approx(0.125)
    assert figures.n == 60


def test_small_and_large_may_be_named(small_examples: Examples) -> None:
    """Then the order of the models does not say which they are: the big one is here the small end: no gap."""
    models = ("Small-7B-Chat", "Big-70B-Chat")
    pool = Pool(name="sums", task_sets=("sums",), models=models, small=models[1], large=models[0])

    assert pool_figures(pool, small_examples, _successes(small_examples), WEIGHTS).apgr is None


def test_tasks_that_one_model_did_not_answer_do_not_count(small_examples: Examples) -> None:
    """What routing earns is only known where every choice was recorded."""
    every = small_examples.outcomes
    kept = ~((every.model == small_examples.models.index("Big-70B-Chat")) & (every.task < 10))
    examples = _with(
        small_examples, Outcomes(task=every.task[kept], model=every.model[kept], success=every.success[kept])
    )
    pool = Pool(name="sums", task_sets=("sums",), models=("Small-7B-Chat", "Big-70B-Chat"))

    assert pool_figures(pool, examples, _successes(small_examples), WEIGHTS).n == 50


def test_repeated_trials_of_a_task_count_once_in_a_score(small_examples: Examples) -> None:
    """By their mean, so that a task asked often does not weigh more."""
    every = small_examples.outcomes
    again = np.tile(np.flatnonzero(every.task == 1), 5)
    order = np.concatenate([np.arange(len(every.task)), again])
    examples = _with(
        small_examples, Outcomes(task=every.task[order], model=every.model[order], success=every.success[order])
    )
    pool = Pool(name="sums", task_sets=("sums",), models=("Small-7B-Chat",))

    assert pool_figures(pool, examples, _successes(examples), WEIGHTS).best_single_score == pytest.approx(0.5)


def test_a_pool_without_common_tasks_is_named(small_examples: Examples) -> None:
    """There is nothing to measure, and no figure is made up."""
    every = small_examples.outcomes
    kept = every.model != small_examples.models.index("Big-70B-Chat")
    examples = _with(
        small_examples, Outcomes(task=every.task[kept], model=every.model[kept], success=every.success[kept])
    )
    pool = Pool(name="mixed", task_sets=("sums",), models=("Small-7B-Chat", "Big-70B-Chat"))

    with pytest.raises(DataError, match="pool mixed: all of its models must have answered"):
        pool_figures(pool, examples, _successes(small_examples), WEIGHTS)


def _with(examples: Examples, outcomes: Outcomes) -> Examples:
    return Examples(
        domains=examples.domains,
        models=examples.models,
        parameters_b=examples.parameters_b,
        tasks=examples.tasks,
        outcomes=outcomes,
        calls=examples.calls,
    )


def _successes(examples: Examples) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    table = np.zeros((len(examples.tasks.ids), len(examples.models)))
    table[examples.outcomes.task, examples.outcomes.model] = examples.outcomes.success
    return table
