import numpy as np
import pytest

from chimera_training.abilities import fit_rasch
from chimera_training.examples import Outcomes
from chimera_training.heads import sigmoid


def answers(easiness: np.ndarray, ability: np.ndarray) -> Outcomes:
    task, model = (grid.ravel() for grid in np.meshgrid(np.arange(len(easiness)), np.arange(len(ability))))
    chance = sigmoid(easiness[task] + ability[model])
    success = (np.random.default_rng(0).random(len(chance)) < chance).astype(np.float64)
    return Outcomes(task=task, model=model, success=success)


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
