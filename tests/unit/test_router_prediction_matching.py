import numpy as np
import pytest
from manifests import trained
from pools import FAST

from chimera_router.prediction.matching import Stand, stand
from chimera_router.scheduling.types import Descriptor, Model

TRAINED = (
    trained("Meta-Llama-3-8B-Instruct", family="llama-3", parameters_b=8, general_score=0.5, head=(0.0, 0.2, -1.0)),
    trained("Meta-Llama-3-70B-Instruct", family="llama-3", parameters_b=70, general_score=0.7, head=(1.0, 1.2, -1.1)),
    trained("Weak-7B", family="weak", parameters_b=7, general_score=0.1, head=(-2.0, -2.0, -0.8)),
    trained("gpt-4o", family="gpt-4o", general_score=0.9, head=(2.0, 2.5, -1.2)),
)


def found(name: str = "mine", **descriptor: float | str) -> Stand | None:
    model = Model(name=name, coefficients=FAST, descriptor=Descriptor(**descriptor))  # type: ignore[arg-type]
    return stand(model, TRAINED)


def placed(**descriptor: float | str) -> Stand:
    place = found(**descriptor)  # type: ignore[arg-type]
    assert place is not None
    return place


def test_its_own_name_is_enough() -> None:
    """A model called as it was recorded has that model's head and traits; case does not matter."""
    known = found("meta-llama-3-70b-instruct")

    assert known is not None
    assert tuple(known.head) == TRAINED[1].head
    assert tuple(known.traits) == TRAINED[1].traits()


def test_the_descriptor_names_it_first() -> None:
    """`trained_as` goes before the own name, size and family."""
    known = found("Weak-7B", trained_as="gpt-4o", family="llama-3", parameters_b=8)

    assert known is not None
    assert tuple(known.head) == TRAINED[3].head


def test_an_unknown_name_falls_back_to_the_description() -> None:
    """A `trained_as` that the bundle does not have is no error: another bundle may have it."""
    named, plain = placed(trained_as="not-there", parameters_b=9), placed(parameters_b=9)

    assert np.array_equal(named.head, plain.head)


def test_a_model_is_placed_by_its_description() -> None:
    """A head and traits for any model, better where it is larger or of a better family or score."""
    plain = placed(parameters_b=9)

    assert plain.head.shape == (3,)
    assert plain.traits == pytest.approx(TRAINED[0].traits())  # all of these have the same
    for better in (placed(parameters_b=60), placed(parameters_b=9, family="Llama-3")):
        assert (better.head[:2] > plain.head[:2]).all()
    assert placed(general_score=0.8).head[0] > placed(general_score=0.2).head[0]


@pytest.mark.parametrize("descriptor", [{}, {"family": "new"}])
def test_without_anything_known_it_stands_nowhere(descriptor: dict[str, float | str]) -> None:
    """Then the model keeps its prior."""
    assert found(**descriptor) is None  # type: ignore[arg-type]
