import pytest
from manifests import trained
from pools import FAST

from chimera_router.prediction.matching import match
from chimera_router.scheduling.types import Descriptor, Model

TRAINED = (
    trained("Meta-Llama-3-8B-Instruct", family="llama-3", parameters_b=8, general_score=0.5),
    trained("Meta-Llama-3-70B-Instruct", family="llama-3", parameters_b=70, general_score=0.7),
    trained("Weak-7B", family="weak", parameters_b=7, general_score=0.1),
    trained("Strong-7B", family="strong", parameters_b=7, general_score=0.6),
    trained("gpt-4o", family="gpt-4o", general_score=0.9),
)


def matched(name: str = "mine", **descriptor: float | str) -> str | None:
    model = Model(name=name, coefficients=FAST, descriptor=Descriptor(**descriptor))  # type: ignore[arg-type]
    index = match(model, TRAINED)
    return None if index is None else TRAINED[index].name


def test_its_own_name_is_enough() -> None:
    """A model called as it was recorded; case does not matter."""
    assert matched("meta-llama-3-70b-instruct") == "Meta-Llama-3-70B-Instruct"


def test_the_descriptor_names_it_first() -> None:
    """`trained_as` goes before the own name, size and family."""
    found = matched("Weak-7B", trained_as="gpt-4o", family="llama-3", parameters_b=8)

    assert found == "gpt-4o"


def test_an_unknown_name_falls_back_to_the_description() -> None:
    """A `trained_as` that the bundle does not have is no error: another bundle may have it."""
    assert matched(trained_as="not-there", family="llama-3", parameters_b=9) == "Meta-Llama-3-8B-Instruct"


@pytest.mark.parametrize(
    ("parameters", "expected"), [(1.0, "8B"), (20.0, "8B"), (30.0, "70B"), (405.0, "70B"), (0.0, "70B")]
)
def test_inside_the_family_the_nearest_ratio_wins(parameters: float, expected: str) -> None:
    """23.7 is as far from 8 as from 70; without a size the family's best stands in."""
    assert matched(family="Llama-3", parameters_b=parameters) == f"Meta-Llama-3-{expected}-Instruct"


def test_without_a_relative_the_nearest_size_wins() -> None:
    """A family that nobody recorded."""
    assert matched(family="new", parameters_b=60) == "Meta-Llama-3-70B-Instruct"


def test_of_equal_sizes_the_best_stands_in() -> None:
    """What is deployed today is no worse than what was recorded."""
    assert matched(parameters_b=7) == "Strong-7B"


def test_of_equal_sizes_the_nearest_score_stands_in_where_it_is_known() -> None:
    """The descriptor's general score decides between them."""
    assert matched(parameters_b=7, general_score=0.2) == "Weak-7B"


def test_models_without_a_size_are_not_matched_by_size() -> None:
    """Nobody knows how large they are."""
    assert matched(parameters_b=100_000) != "gpt-4o"


@pytest.mark.parametrize("descriptor", [{}, {"general_score": 0.8}, {"family": "new"}])
def test_without_family_or_size_nothing_matches(descriptor: dict[str, float | str]) -> None:
    """Then the model keeps its prior."""
    assert matched(**descriptor) is None
