from typing import get_args

import numpy as np
import pytest

from chimera_training.bundle import LearnerName
from chimera_training.encodings import UNKNOWN
from chimera_training.examples import Calls, Examples
from chimera_training.export import tree_graph
from chimera_training.features import TRAIT_FEATURES, Floats
from chimera_training.length import HIDDEN_SHARE, LengthModel, applications, call_rows, effects, fit_lengths
from chimera_training.split import Split

BIG, CODER, SMALL = range(3)  # models of the recordings, sorted by name
ABILITY = np.array([1.0, 0.5, -1.5])

# The made-up lengths are few numbers; a quantile that should be one of them may miss it by less than 1 %.
NEAR = 0.01


@pytest.fixture(scope="module")
def readings(small_examples: Examples) -> Floats:
    """What a perfect reader would read: the true domain, no difficulty."""
    tasks = small_examples.tasks
    domains = np.eye(len(small_examples.domains))[tasks.domain]
    return np.hstack([domains, np.zeros((len(tasks.ids), 1))])


@pytest.fixture(scope="module", params=get_args(LearnerName))
def learner(request: pytest.FixtureRequest) -> LearnerName:
    name: LearnerName = request.param
    return name


@pytest.fixture(scope="module")
def fitted(small_examples: Examples, small_split: Split, readings: Floats, learner: LearnerName) -> LengthModel:
    return fit_lengths(small_examples, readings, ABILITY, small_split.training, learner=learner)


def rows_of(examples: Examples, calls: Calls, readings: Floats, fitted: LengthModel) -> Floats:
    rows: Floats = call_rows(examples, calls, readings, fitted.learned, application=applications(examples, calls))
    return rows


def test_effects_are_found_though_models_meet_different_groups() -> None:
    """A model that answered only long tasks is not taken for a talkative one."""
    group = np.repeat(np.arange(40), 2)
    model = np.array([number % 3 for task in range(40) for number in ((0, 1) if task < 20 else (1, 2))])
    values = np.where(group < 20, 1.0, 5.0) + np.array([0.0, 0.4, 0.0])[model]

    found = effects(values, group, model, 3)

    assert found[0] == pytest.approx(found[2], abs=0.05)
    assert found[1] > found[0] + 0.15


def test_effects_of_a_model_without_values_are_those_of_the_average() -> None:
    """Nothing measured is 0."""
    assert effects(np.ones(4), np.zeros(4, dtype=np.int64), np.zeros(4, dtype=np.int64), 2)[1] == 0.0


def test_few_values_move_a_trait_little() -> None:
    """One long answer says less than a hundred."""
    group = np.repeat(np.arange(100), 2)
    model = np.tile([0, 1], 100)
    values = np.tile([0.0, 1.0], 100)

    few = effects(values[:2], group[:2], model[:2], 2)
    many = effects(values, group, model, 2)

    assert 0 < few[1] < 0.1 < many[1]


def test_traits_tell_who_talks_more(fitted: LengthModel) -> None:
    """The small model's sums are twice as long as the others'; the coder's workflows end after one stage."""
    traits = dict(zip(TRAIT_FEATURES, fitted.learned.traits.T, strict=True))

    assert traits["ability"].tolist() == [1.0, 0.5, -1.5]
    assert traits["stage_verbosity"].argmax() == SMALL
    assert traits["remaining_verbosity"].argmin() == CODER


def test_lengths_of_new_tasks_follow_what_was_recorded(
    small_examples: Examples, small_split: Split, readings: Floats, fitted: LengthModel
) -> None:
    """Median predictions on held-out tasks are nearer to the truth than the mean of all is."""
    calls = small_examples.calls.of(small_split.held_out)
    rows = rows_of(small_examples, calls, readings, fitted)

    predicted = np.expm1(fitted.remaining.predict(rows))

    error = np.abs(predicted - calls.remaining_tokens).mean()
    assert error < 0.5 * np.abs(calls.remaining_tokens - calls.remaining_tokens.mean()).mean()


def test_the_high_quantile_covers_what_it_promises(
    small_examples: Examples, small_split: Split, readings: Floats, fitted: LengthModel
) -> None:
    """Shifted, it lies at or above nine of ten new truths; few tasks, so loosely."""
    calls = small_examples.calls.of(small_split.held_out)
    rows = rows_of(small_examples, calls, readings, fitted)

    stage_shift, remaining_shift = fitted.shifts[applications(small_examples, calls)].T

    stage, remaining = fitted.stage_high.predict(rows), fitted.remaining_high.predict(rows)

    assert (np.log1p(calls.stage_tokens) <= stage + stage_shift + NEAR).mean() > 0.8
    assert (np.log1p(calls.remaining_tokens) <= remaining + remaining_shift + NEAR).mean() > 0.8


def test_lengths_of_an_unknown_application_are_still_better_than_the_mean(
    small_examples: Examples, small_split: Split, readings: Floats, fitted: LengthModel
) -> None:
    """The trees were shown workflows whose application was hidden, so the text tells them enough."""
    calls = small_examples.calls.of(small_split.held_out)
    unknown = np.full(len(calls.task), UNKNOWN)

    rows = call_rows(small_examples, calls, readings, fitted.learned, application=unknown)

    error = np.abs(np.expm1(fitted.remaining.predict(rows)) - calls.remaining_tokens).mean()
    assert HIDDEN_SHARE > 0
    assert error < 0.8 * np.abs(calls.remaining_tokens - calls.remaining_tokens.mean()).mean()


def test_applications_are_task_sets_counted_from_one(small_examples: Examples) -> None:
    """Number 0 is of an application that nobody knows."""
    numbers = applications(small_examples, small_examples.calls)

    assert set(numbers) == {1, 2}
    assert (numbers - 1 == small_examples.tasks.domain[small_examples.calls.task]).all()


def test_equal_data_gives_equal_trees(
    small_examples: Examples, small_split: Split, readings: Floats, fitted: LengthModel, learner: LearnerName
) -> None:
    """Training is deterministic, to the last byte of a graph."""
    again = fit_lengths(small_examples, readings, ABILITY, small_split.training, learner=learner)

    assert tree_graph(again.remaining) == tree_graph(fitted.remaining)
    assert again.shifts.tolist() == fitted.shifts.tolist()


def test_noise_moves_prompt_tokens_only(small_examples: Examples, readings: Floats, fitted: LengthModel) -> None:
    """The router's estimate of them is what is uncertain; and rows without noise are the router's rows."""
    calls = small_examples.calls
    plain = rows_of(small_examples, calls, readings, fitted)
    application = applications(small_examples, calls)
    noisy = call_rows(small_examples, calls, readings, fitted.learned, application=application, noise=0.1)

    assert (plain[:, 0] != noisy[:, 0]).any()
    assert (plain[:, 1:] == noisy[:, 1:]).all()
    assert plain[:, 0] == pytest.approx(np.log1p(small_examples.calls.known[:, 0]), abs=0.001)
