"""Heads and placements hold for whatever a bundle and a descriptor may say."""

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from manifests import trained

from chimera_training.bundle import TrainedModel
from chimera_training.heads import confidence, fit_head, place

NUMBERS = st.floats(-20.0, 20.0)
MODELS = st.builds(
    lambda family, size, score, head: trained("m", family=family, parameters_b=size, general_score=score, head=head),
    st.sampled_from(["", "llama-3", "qwen2.5", "gemma-2"]),
    st.one_of(st.just(0.0), st.floats(0.01, 10_000.0)),
    st.floats(0.0, 1.0),
    st.tuples(NUMBERS, NUMBERS, NUMBERS),
)
SOME_MODELS = st.lists(MODELS, min_size=1, max_size=8)


def heads(models: list[TrainedModel]) -> np.ndarray:
    return np.array([model.head for model in models])


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=5), SOME_MODELS)
def test_confidences_are_chances(readings: list[tuple[float, ...]], models: list[TrainedModel]) -> None:
    """One for each text and model."""
    chances = confidence(np.array(readings), heads(models).T)

    assert chances.shape == (len(readings), len(models))
    assert ((chances >= 0) & (chances <= 1)).all()


@given(MODELS, SOME_MODELS)
def test_any_description_is_placed_at_numbers(model: TrainedModel, others: list[TrainedModel]) -> None:
    """Finite, with a prior that answers can move."""
    placement = place(model, others, heads(others))

    assert np.isfinite(placement.expected).all()
    assert np.linalg.eigvalsh(placement.precision()).min() > 0


@given(MODELS, SOME_MODELS, st.randoms(use_true_random=False))
def test_a_placement_does_not_depend_on_the_bundles_order(
    model: TrainedModel, others: list[TrainedModel], shuffled: random.Random
) -> None:
    """Shuffling the others moves nothing."""
    shuffled_others = others.copy()
    shuffled.shuffle(shuffled_others)

    first, second = (place(model, each, heads(each)).expected for each in (others, shuffled_others))

    assert np.allclose(first, second, atol=1e-6)


@given(MODELS, SOME_MODELS, NUMBERS)
def test_models_of_one_head_expect_the_same_of_any_other(
    model: TrainedModel, others: list[TrainedModel], value: float
) -> None:
    """Nothing that is known of them makes a difference, so nothing known of another does."""
    placement = place(model, others, np.full((len(others), 2), value))

    assert np.allclose(placement.expected, value, atol=1e-6)


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(-3.0, 3.0), st.booleans()), max_size=30),
    st.tuples(st.floats(-3.0, 3.0), st.floats(-3.0, 3.0)),
)
def test_one_more_right_answer_never_lowers_the_confidence_in_its_task(
    answers: list[tuple[float, float, bool]], prior: tuple[float, float]
) -> None:
    """The fit is finite and moves the way the answer points."""
    rows = np.array([*answers, (1.0, 0.5, True)], dtype=np.float64)
    readings, success = rows[:, :2], rows[:, 2]

    before, after = (
        fit_head(readings[:count], success[:count], prior=np.array(prior), precision=np.diag([1.0, 30.0]))
        for count in (len(rows) - 1, len(rows))
    )

    assert np.isfinite(after).all()
    assert readings[-1] @ after >= readings[-1] @ before - 1e-9
