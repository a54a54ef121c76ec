import numpy as np
import pytest

from chimera_training.abilities import fit_head, fit_rasch, sigmoid
from chimera_training.examples import Outcomes


def answers(easiness: np.ndarray, ability: np.ndarray) -> Outcomes:
    task, model = (grid.ravel() for grid in np.meshgrid(np.arange(len(easiness)), np.arange(len(ability))))
    chance = sigmoid(easiness[task] + ability[model])
    success = (np.random.default_rng(0).random(len(chance)) < chance).astype(np.float64)
    return Outcomes(task=task, model=model, success=success)


def test_sigmoid_holds_at_the_extremes() -> None:
    """No overflow far out, one half in the middle."""
    assert sigmoid(np.array([-1000.0, 0.0, 1000.0])) == pytest.approx([0.0, 0.5, 1.0])


def test_rasch_finds_the_order_and_the_distances() -> None:
    """Made from known abilities and eases, the fit recovers both, up to the noise of coin flips."""
    easiness, ability = np.linspace(-2, 2, 200), np.linspace(-1.5, 1.5, 12)

    ease, able = fit_rasch(answers(easiness, ability), tasks=200, models=12, task_precision=0.5)

    assert np.corrcoef(ease, easiness)[0, 1] > 0.8
    assert able - able.mean() == pytest.approx(ability, abs=0.5)


def test_a_task_without_answers_stays_at_its_prior() -> None:
    """Nothing known is ease 0."""
    ease, _ = fit_rasch(answers(np.zeros(3), np.zeros(2)), tasks=4, models=2, task_precision=0.5)

    assert ease[3] == 0.0


def test_a_model_that_is_always_right_has_a_finite_ability() -> None:
    """The prior keeps certainty away."""
    outcomes = Outcomes(task=np.arange(50), model=np.zeros(50, dtype=np.int64), success=np.ones(50))

    _, ability = fit_rasch(outcomes, tasks=50, models=1, task_precision=0.5)

    assert 1.0 < ability[0] < 20.0


def test_a_head_without_answers_is_its_prior() -> None:
    """A model that was never recorded is where its prior puts it."""
    prior = np.array([0.3, -0.7, -1.0])

    assert fit_head(np.zeros((0, 3)), np.zeros(0), prior=prior) == pytest.approx(prior)


def test_a_head_leaves_its_prior_where_answers_say_so() -> None:
    """Many right answers in one domain lift the ability there and leave the other alone."""
    readings = np.tile([1.0, 0.0, 0.0], (200, 1))

    head = fit_head(readings, np.ones(200), prior=np.array([0.0, 0.0, -1.0]))

    assert head[0] > 2.0
    assert head[1:] == pytest.approx([0.0, -1.0])


def test_a_head_gives_the_rate_of_its_answers() -> None:
    """With enough answers the chance is the share that were right."""
    readings = np.tile([1.0, 0.0], (4000, 1))
    success = np.repeat([1.0, 0.0], [2800, 1200])

    head = fit_head(readings, success, prior=np.zeros(2))

    assert sigmoid(head[:1])[0] == pytest.approx(0.7, abs=0.01)
