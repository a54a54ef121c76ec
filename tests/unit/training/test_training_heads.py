import numpy as np
import pytest
from manifests import trained

from chimera_training.bundle import TrainedModel
from chimera_training.features import Floats
from chimera_training.heads import can_place, confidence, fit_head, head_precision, place, sigmoid

SMALL = trained("small", family="a", parameters_b=1, general_score=0.3)
LARGE = trained("large", family="b", parameters_b=100, general_score=0.7)
ABILITIES = np.array([[-1.0], [1.0]])


def expected(model: TrainedModel, others: list[TrainedModel], values: Floats) -> float:
    return float(place(model, others, values).expected[0])


def test_sigmoid_holds_at_the_extremes() -> None:
    """No overflow far out, one half in the middle."""
    assert sigmoid(np.array([-1000.0, 0.0, 1000.0])) == pytest.approx([0.0, 0.5, 1.0])


def test_confidence_is_the_readings_times_the_heads() -> None:
    """Each column a model, through the sigmoid."""
    heads = np.array([[1.0, -1.0], [-2.0, 0.0]])

    assert confidence(np.array([[1.0, 0.25]]), heads) == pytest.approx(sigmoid(np.array([[0.5, -1.0]])))


def test_the_slope_on_the_difficulty_is_held_firmer_than_abilities() -> None:
    """By name, wherever the difficulty stands."""
    assert np.diag(head_precision(["domain:a", "difficulty", "latent"])).tolist() == [1.0, 30.0, 1.0]


def test_a_head_without_answers_is_its_prior() -> None:
    """A model that was never recorded is where its prior puts it."""
    prior = np.array([0.3, -0.7, -1.0])

    assert fit_head(np.zeros((0, 3)), np.zeros(0), prior=prior, precision=np.eye(3)) == pytest.approx(prior)


def test_a_head_leaves_its_prior_where_answers_say_so() -> None:
    """Many right answers in one domain lift the ability there and leave the other alone."""
    readings = np.tile([1.0, 0.0, 0.0], (200, 1))

    head = fit_head(readings, np.ones(200), prior=np.array([0.0, 0.0, -1.0]), precision=np.eye(3))

    assert head[0] > 2.0
    assert head[1:] == pytest.approx([0.0, -1.0])


def test_answers_in_one_domain_speak_of_another_that_varies_with_it() -> None:
    """The covariance of the prior carries them over."""
    together = np.linalg.inv(np.array([[1.0, 0.8], [0.8, 1.0]]))

    head = fit_head(np.tile([1.0, 0.0], (20, 1)), np.ones(20), prior=np.zeros(2), precision=together)

    assert 0.5 < head[1] < head[0]


def test_a_head_gives_the_rate_of_its_answers() -> None:
    """With enough answers the chance is the share that were right."""
    readings = np.tile([1.0, 0.0], (4000, 1))
    success = np.repeat([1.0, 0.0], [2800, 1200])

    head = fit_head(readings, success, prior=np.zeros(2), precision=np.eye(2))

    assert sigmoid(head[:1])[0] == pytest.approx(0.7, abs=0.01)


def test_a_model_is_expected_by_its_size() -> None:
    """Between two others it lies between them, a larger one above both."""
    between, same, larger = (
        expected(trained("mine", parameters_b=size, general_score=0.0), [SMALL, LARGE], ABILITIES)
        for size in (10, 100, 400)
    )

    assert between == pytest.approx(0.0, abs=1e-9)
    assert larger > same > 0.5


def test_a_model_is_expected_by_its_score() -> None:
    """Where its size is not known; less far out than the score, which was measured elsewhere."""
    best, worst = (expected(trained("mine", general_score=score), [SMALL, LARGE], ABILITIES) for score in (0.7, 0.3))

    assert 0.2 < best < 1.0
    assert worst == pytest.approx(-best)


def test_relatives_draw_a_model_to_them() -> None:
    """Half of the way with one relative; case does not matter."""
    others = [trained("one", family="Strong"), trained("two", family="x"), trained("three", family="y")]
    values = np.array([[3.0], [0.0], [0.0]])

    relative, stranger = (
        expected(trained("mine", family=family, general_score=0.0), others, values) for family in ("strong", "z")
    )

    assert relative > stranger + 0.5


def test_models_of_one_size_say_nothing_of_size() -> None:
    """Their mean is expected of any size, and nothing is divided by zero."""
    others = [trained("one", parameters_b=7), trained("two", parameters_b=7)]

    assert expected(trained("mine", parameters_b=70, general_score=0.0), others, ABILITIES) == pytest.approx(0.0)


def test_models_of_unknown_size_say_nothing_where_the_size_is_known() -> None:
    """A strong model of a size that nobody published would lift small ones."""
    closed = trained("closed", general_score=0.9)
    mine = trained("mine", parameters_b=1, general_score=0.0)

    assert expected(mine, [SMALL, LARGE, closed], np.vstack([ABILITIES, [[9.0]]])) < 0.0


@pytest.mark.parametrize(
    ("mine", "placed"),
    [
        (trained("mine", general_score=0.0), False),
        (trained("mine", family="new", general_score=0.0), False),
        (trained("mine", family="A", general_score=0.0), True),
        (trained("mine", parameters_b=7, general_score=0.0), True),
        (trained("mine", general_score=0.5), True),
    ],
)
def test_something_must_be_known_on_both_sides(mine: TrainedModel, *, placed: bool) -> None:
    """Family, size or score."""
    assert can_place(mine, [SMALL, LARGE]) == placed


def test_a_size_that_nobody_else_has_places_nothing() -> None:
    """Others of unpublished sizes only."""
    assert not can_place(trained("mine", parameters_b=7, general_score=0.0), [trained("closed")])


def test_what_moves_together_is_held_together() -> None:
    """Residuals of two values that agree give a covariance, and so a precision with a negative corner."""
    generator = np.random.default_rng(0)
    values = np.repeat(generator.normal(size=(40, 1)), 2, axis=1)
    others = [trained(f"m{number}") for number in range(40)]

    precision = place(trained("mine", general_score=0.5), others, values).precision()

    assert precision[0, 1] < 0
    assert np.linalg.eigvalsh(precision).min() > 0
