"""What answers to probes can say of models, and what they cannot."""

import numpy as np
import pytest

from chimera_training.examples import Integers, Outcomes
from chimera_training.features import Floats
from chimera_training.heads import sigmoid
from chimera_training.probes.fit import Fitted, HeadPrior, cross_fitted, fit_heads, fit_verbosity

PROBES = 200
GROUPS = np.arange(PROBES) % 10
FIRM, WIDE = 20.0 * np.eye(2), np.eye(2)


def readings() -> Floats:
    """One domain, and a difficulty."""
    return np.column_stack([np.ones(PROBES), np.random.default_rng(0).normal(size=PROBES)])


def answered(heads: list[list[float]], *, ease: float = 0.0, seed: int = 1, probes: int = PROBES) -> Outcomes:
    """Return answers of models with these heads, to probes that are easier than they read."""
    chances = sigmoid(readings()[:probes] @ np.array(heads).T + ease)
    success = np.random.default_rng(seed).random(chances.shape) < chances
    task, model = np.indices(chances.shape)
    return Outcomes(task=task.ravel(), model=model.ravel(), success=success.ravel().astype(np.float64))


def prior(level: float, precision: Floats) -> HeadPrior:
    return HeadPrior(np.array([level, -1.0]), precision)


def fit(answers: Outcomes, priors: list[HeadPrior], groups: Integers = GROUPS) -> Fitted:
    return fit_heads(answers, readings(), groups, priors)


def test_without_answers_everything_stays_where_it_was() -> None:
    """Heads at their priors, eases at nothing."""
    nothing = Outcomes(task=np.array([], dtype=int), model=np.array([], dtype=int), success=np.array([]))

    fitted = fit(nothing, [prior(0.5, WIDE)])

    assert np.allclose(fitted.heads, [[0.5, -1.0]])
    assert np.allclose(fitted.eases, 0.0)


def test_a_new_model_is_found_relative_to_a_known_one() -> None:
    """Probes that are easier than they read are not taken for ability: the known model says how easy they are."""
    answers = answered([[0.0, -1.0], [1.5, -1.0]], ease=1.0)

    fitted = fit(answers, [prior(0.0, FIRM), prior(0.0, WIDE)])

    assert fitted.eases.mean() == pytest.approx(1.0, abs=0.4)
    assert fitted.heads[0, 0] == pytest.approx(0.0, abs=0.3)
    assert fitted.heads[1, 0] == pytest.approx(1.5, abs=0.6)


def test_a_success_that_all_share_moves_no_known_model() -> None:
    """Two recorded models that are both much better than predicted mean easy probes."""
    answers = answered([[0.0, -1.0], [0.5, -1.0]], ease=2.0)

    fitted = fit(answers, [prior(0.0, FIRM), prior(0.5, FIRM)])

    assert np.abs(fitted.heads[:, 0] - [0.0, 0.5]).max() < 0.4
    assert fitted.eases.mean() > 1.2


def test_a_lone_new_model_shares_the_blame_with_the_probes() -> None:
    """Nothing tells an able model from easy probes; the priors' widths split the difference."""
    answers = answered([[2.0, -1.0]])

    fitted = fit(answers, [prior(0.0, WIDE)])

    assert 0.3 < fitted.heads[0, 0] < 1.7
    assert fitted.heads[0, 0] + fitted.eases.mean() == pytest.approx(2.0, abs=0.4)


def test_eases_are_told_apart_by_group() -> None:
    """A group that everybody fails is hard."""
    answers = answered([[1.0, -1.0], [1.0, -1.0]])
    answers.success[GROUPS[answers.task] == 3] = 0.0

    eases = fit(answers, [prior(1.0, FIRM)] * 2).eases

    assert eases.argmin() == 3
    assert eases[3] < np.delete(eases, 3).min() - 1.0


def test_a_fixed_prior_lets_only_the_probes_move() -> None:
    """What the bundle said before, on probes whose ease is known."""
    answers = answered([[2.0, -1.0]])

    fitted = fit(answers, [prior(0.0, WIDE).fixed()])

    assert np.allclose(fitted.heads, [[0.0, -1.0]], atol=1e-6)
    assert fitted.eases.mean() == pytest.approx(2.0, abs=0.5)


def test_a_start_that_is_sure_and_wrong_is_left() -> None:
    """Where the slope has no curvature to go by, steps are bounded and still arrive."""
    answers = answered([[-3.0, 0.0], [-3.0, 0.0]])

    fitted = fit(answers, [prior(9.0, 0.01 * WIDE), prior(-3.0, FIRM)])

    assert fitted.heads[0, 0] < 0.0


def test_cross_fitting_has_not_seen_the_probe() -> None:
    """Answers that say nothing of each other are not predicted better than by their mean."""
    rng = np.random.default_rng(5)
    answers = Outcomes(
        task=np.arange(PROBES), model=np.zeros(PROBES, dtype=int), success=rng.integers(0, 2, PROBES).astype(np.float64)
    )

    chances = cross_fitted(answers, readings(), np.arange(PROBES), [prior(0.0, WIDE)])

    assert ((chances - answers.success) ** 2).mean() > 0.24


def test_cross_fitting_improves_a_model_that_was_placed_wrongly() -> None:
    """After the fit its confidences are nearer to its answers, on probes that it was not fitted on."""
    answers = answered([[0.0, -1.0], [2.0, -1.0]])
    priors = [prior(0.0, FIRM), prior(-0.5, WIDE)]
    own = answers.model == 1

    before, after = (
        cross_fitted(answers, readings(), GROUPS, each) for each in ([one.fixed() for one in priors], priors)
    )

    error_before, error_after = (((each - answers.success)[own] ** 2).mean() for each in (before, after))
    assert error_after < error_before - 0.02


def lengths(tokens: Floats, answers: Outcomes, *, known: list[bool], follow: float = 1.0) -> Floats:
    """Fit on trees that predict 100 tokens and follow a verbosity this far."""
    return fit_verbosity(
        answers,
        tokens,
        GROUPS,
        known=known,
        expected=np.zeros(len(known)),
        predict=lambda verbosity: np.expm1(np.log1p(100.0) + follow * np.tile(verbosity, (PROBES, 1))),
    )


def test_a_new_model_that_says_twice_as_much_is_wordier_by_log_two() -> None:
    """As soon as a known one says how long answers to probes are."""
    answers = answered([[0.0, 0.0], [0.0, 0.0]])
    tokens = np.where(answers.model == 1, 401.0, 200.0)

    verbosity = lengths(tokens, answers, known=[True, False])

    assert verbosity[0] == pytest.approx(0.0, abs=0.1)
    assert verbosity[1] - verbosity[0] == pytest.approx(np.log(2), abs=0.12)


def test_lengths_that_all_share_are_the_probes() -> None:
    """Prompts that ask for steps make every answer longer; known models are not blamed."""
    answers = answered([[0.0, 0.0], [0.0, 0.0]])

    verbosity = lengths(np.full(len(answers.task), 300.0), answers, known=[True, True])

    assert np.abs(verbosity).max() < 0.1


def test_trees_that_follow_more_slowly_are_asked_again() -> None:
    """The verbosity is what makes the trees right, not what the first look suggests."""
    answers = answered([[0.0, 0.0], [0.0, 0.0]])
    tokens = np.where(answers.model == 1, 200.0, 100.0)

    quick = lengths(tokens, answers, known=[True, False])
    slow = lengths(tokens, answers, known=[True, False], follow=0.8)

    assert slow[1] > quick[1]
