import numpy as np
import pytest
from recordings import prompt_rows

from chimera_training.examples import Examples, arrange
from chimera_training.features import Floats
from chimera_training.pools import Pool
from chimera_training.unseen import OBSERVED_TASKS, expected_ability, unseen_figures

SUMS = Pool(name="sums", task_sets=("sums",), models=("Small-7B-Chat", "Big-70B-Chat"))


def by_task(examples: Examples) -> Floats:
    """Return confidences in which every model finds even tasks easy and odd ones hard."""
    even = np.array([int(task_id.split("-")[1]) % 2 == 0 for task_id in examples.tasks.ids])
    return np.repeat(np.where(even, 0.9, 0.1)[:, None], len(examples.models), axis=1)


def test_the_other_models_tell_what_is_easy(small_examples: Examples) -> None:
    """The small model is right on even tasks alone, and is ranked so without its own head."""
    figures = unseen_figures(SUMS, small_examples, by_task(small_examples))

    assert figures is not None
    assert figures.auc_mean == 1.0
    assert figures.n == 60 - OBSERVED_TASKS


def test_its_own_head_is_not_looked_at(small_examples: Examples) -> None:
    """Whatever it says of the model that is set aside, the figures stay."""
    pool = Pool(name="one", task_sets=("sums",), models=("Small-7B-Chat",))
    confidence = by_task(small_examples)
    other = confidence.copy()
    other[:, small_examples.models.index("Small-7B-Chat")] = 0.37

    assert unseen_figures(pool, small_examples, confidence) == unseen_figures(pool, small_examples, other)


def test_observed_answers_place_it(small_examples: Examples) -> None:
    """The others are thought to fail always; twenty right answers of the big model say otherwise."""
    pool = Pool(name="one", task_sets=("sums",), models=("Big-70B-Chat",))
    doubtful = np.full((len(small_examples.tasks.ids), len(small_examples.models)), 0.1)

    figures = unseen_figures(pool, small_examples, doubtful)

    assert figures is not None
    assert figures.brier < 0.2  # 0.81 with the others' confidence


def test_certain_heads_have_finite_logits(small_examples: Examples) -> None:
    """Chances of 0 and 1 are answers that a graph may give."""
    figures = unseen_figures(SUMS, small_examples, by_task(small_examples).round())

    assert figures is not None
    assert 0 <= figures.brier < 0.25


def test_too_few_tasks_give_no_figures() -> None:
    """With twenty observed there must be as many left to measure."""
    few = arrange(prompt_rows(2 * OBSERVED_TASKS - 1), ())

    assert unseen_figures(SUMS, few, by_task(few)) is None


def test_a_bundle_of_one_model_gives_no_figures() -> None:
    """There is no other model to say what is easy."""
    alone = arrange([row for row in prompt_rows() if row.model == "Small-7B-Chat"], ())
    pool = Pool(name="one", task_sets=("sums",), models=("Small-7B-Chat",))

    assert unseen_figures(pool, alone, by_task(alone)) is None


def test_ability_follows_size() -> None:
    """A model between two others is expected between them, a larger one above both."""
    abilities, sizes = np.array([-1.0, 1.0]), np.array([1.0, 100.0])

    assert expected_ability(abilities, sizes, 10.0) == pytest.approx(0.0, abs=1e-9)
    assert expected_ability(abilities, sizes, 400.0) > expected_ability(abilities, sizes, 100.0) > 0.5


@pytest.mark.parametrize(("sizes", "size"), [([0.0, 0.0], 7.0), ([7.0, 70.0], 0.0)])
def test_an_unpublished_size_is_expected_on_the_level(sizes: list[float], size: float) -> None:
    """Nothing else is known."""
    assert expected_ability(np.array([-1.0, 1.0]), np.array(sizes), size) == 0.0


def test_models_of_one_size_say_nothing_of_size() -> None:
    """Their mean is expected of any size, and nothing is divided by zero."""
    assert expected_ability(np.array([0.5, -0.5]), np.array([7.0, 7.0]), 70.0) == 0.0
