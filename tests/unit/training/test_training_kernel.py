import numpy as np
import pytest
from encoders import run
from recordings import prompt_rows, workflow_rows

from chimera_training.features import normalise
from chimera_training.kernel import KernelEncoder, SurfaceEncoder, fit_kernel, kernel
from chimera_training.surface import SURFACE_FEATURES, surface

TEXTS = sorted(
    {
        *(normalise(row.text) for row in prompt_rows()),
        *(normalise(row.stages[0].text) for row in workflow_rows()),
    }
)
KINDS = np.arange(len(TEXTS)) % 3


@pytest.fixture(scope="module")
def encoder() -> KernelEncoder:
    return fit_kernel(SurfaceEncoder(), TEXTS, KINDS, landmarks=20)


def column(name: str) -> int:
    return SURFACE_FEATURES.index(name)


def test_the_surface_counts_what_its_columns_say() -> None:
    """As log(1 + count)."""
    (row,) = np.expm1(surface(["def f(a):\n    return a + 12\n"]))

    counted = {name: row[column(name)] for name in ("characters", "words", "lines", "digits", "deepest_indentation")}
    assert counted == pytest.approx({"characters": 28, "words": 6, "lines": 3, "digits": 2, "deepest_indentation": 4})
    assert row[column("character:(")] == pytest.approx(1)
    assert row[column("code:return")] == pytest.approx(1)


@pytest.mark.parametrize("text", ["", " ", "\n\n", "naïve 😀", "\x00"])
def test_any_text_has_a_surface(text: str) -> None:
    """Finite and not below zero, also without a word or a line."""
    values = surface([text])

    assert np.isfinite(values).all()
    assert (values >= 0).all()


def test_no_texts_have_no_rows() -> None:
    """The width is kept."""
    assert surface([]).shape == (0, len(SURFACE_FEATURES))


@pytest.mark.parametrize("texts", [TEXTS, [""], ["😀" * 400], ["(" * 2000, "a"]])
def test_the_graph_encodes_like_its_source(encoder: KernelEncoder, texts: list[str]) -> None:
    """Training texts and such as lie far from all of them."""
    assert run(encoder, texts) == pytest.approx(encoder.encode(texts), abs=2e-4)


def test_inner_products_of_vectors_are_the_kernel_between_landmarks() -> None:
    """With every text a landmark the approximation is exact, but for what whitening leaves out."""
    texts = TEXTS[:8]
    encoder = fit_kernel(SurfaceEncoder(), texts, np.zeros(8, dtype=np.int64), landmarks=8)

    vectors = encoder.encode(texts)

    assert vectors @ vectors.T == pytest.approx(kernel(encoder.landmarks, encoder.landmarks), abs=0.02)


def test_every_kind_has_landmarks() -> None:
    """A kind of two texts among hundreds is not left out."""
    texts = [f"{'word ' * (number % 40)}end {number}" for number in range(300)] + ["[[[[ ]]]]", "{{{{ }}}}"]
    kinds = np.array([0] * 300 + [1] * 2)

    encoder = fit_kernel(SurfaceEncoder(), texts, kinds, landmarks=10)

    own = (encoder.landmarks[:, column("character:[")] > 0) | (encoder.landmarks[:, column("character:{")] > 0)
    assert own.any()
    assert len(encoder.landmarks) <= 12


def test_the_choice_of_landmarks_is_repeatable() -> None:
    """Equal texts and seed give equal landmarks."""
    first, second = (fit_kernel(SurfaceEncoder(), TEXTS, KINDS, landmarks=5, seed=3) for _ in range(2))

    assert (first.landmarks == second.landmarks).all()
