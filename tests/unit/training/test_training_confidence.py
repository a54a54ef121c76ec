import numpy as np
import pytest
from recordings import prompt_rows

from chimera_training.confidence import ConfidenceModel, fit_confidence
from chimera_training.examples import Examples, Mask, examples
from chimera_training.features import Floats, normalise, reading_names
from chimera_training.heads import sigmoid
from chimera_training.reading import LabelledTexts, TextHeads, fit_reading
from chimera_training.split import Split, held_out
from chimera_training.tfidf import TfidfEncoder, fit_tfidf


@pytest.fixture(scope="module")
def encoder(small_examples: Examples) -> TfidfEncoder:
    return fit_tfidf(small_examples.tasks.texts)


@pytest.fixture(scope="module")
def fitted(small_examples: Examples, small_split: Split, encoder: TfidfEncoder) -> tuple[ConfidenceModel, Floats]:
    return fit_confidence(small_examples, encoder, small_split.training)


def _held_out(examples: Examples) -> Mask:
    return np.array([held_out(name) for name in examples.tasks.ids])


def confidence_of(fitted: tuple[ConfidenceModel, Floats], examples: Examples, model: str, domain: str) -> Floats:
    """Return the confidences of one model in the held-out tasks of one domain."""
    chosen = _held_out(examples) & (examples.tasks.domain == examples.domains.index(domain))
    confidences: Floats = fitted[0].confidence(fitted[1])[chosen, examples.models.index(model)]
    return confidences


def test_each_model_is_trusted_where_it_was_right(
    fitted: tuple[ConfidenceModel, Floats], small_examples: Examples
) -> None:
    """On tasks it has not seen, the specialist is trusted with code and the big model with sums."""
    assert confidence_of(fitted, small_examples, "Coder-7B-Chat", "code").min() > 0.7
    assert confidence_of(fitted, small_examples, "Coder-7B-Chat", "sums").max() < 0.3
    assert confidence_of(fitted, small_examples, "Big-70B-Chat", "sums").min() > 0.7
    assert confidence_of(fitted, small_examples, "Big-70B-Chat", "code").max() < 0.3


def test_difficulty_is_read_from_the_words(fitted: tuple[ConfidenceModel, Floats], small_examples: Examples) -> None:
    """The word that stands in hard tasks makes an unseen task look harder than the one in easy tasks."""
    tasks = small_examples.tasks
    hard = np.array(["tricky" in text for text in tasks.texts])
    sums = _held_out(small_examples) & (tasks.domain == small_examples.domains.index("sums"))

    difficulty = fitted[1][:, -1]

    assert difficulty[sums & hard].mean() > difficulty[sums & ~hard].mean()


def test_domains_are_chances(fitted: tuple[ConfidenceModel, Floats]) -> None:
    """They are positive and add up to 1."""
    domains = fitted[1][:, :-1]

    assert (domains >= 0).all()
    assert domains.sum(axis=1) == pytest.approx(np.ones(len(domains)))


def test_a_model_never_recorded_in_a_domain_is_placed_by_its_answers_elsewhere(encoder: TfidfEncoder) -> None:
    """Two models unseen in one domain keep the order that they have in the other."""
    rows = [row for row in prompt_rows() if row.model != "Coder-7B-Chat"]
    other = [
        row.__class__(
            *["other", "other", f"other-{i}", f"entirely different words {i}", 9, "Third", 3.0, i % 3 == 0, 10]
        )
        for i, row in enumerate(rows)
    ]
    small = examples([*rows, *other], [])

    model, _ = fit_confidence(small, encoder, np.ones(len(small.tasks.ids), dtype=np.bool_))

    in_other = model.abilities[small.domains.index("other")]
    assert in_other[small.models.index("Big-70B-Chat")] > in_other[small.models.index("Small-7B-Chat")]


def test_general_scores_are_chances_and_abilities_centre_on_zero(fitted: tuple[ConfidenceModel, Floats]) -> None:
    """The manifest's numbers about a model mean what they say."""
    model, _ = fitted

    assert ((model.general_score > 0) & (model.general_score < 1)).all()
    assert model.ability.mean() == pytest.approx(0.0, abs=1e-9)


def test_training_tasks_are_read_by_heads_that_have_not_seen_them(
    small_examples: Examples, small_split: Split, encoder: TfidfEncoder
) -> None:
    """Changing what a task was like changes nothing in how that task itself is read."""
    tasks = small_examples.tasks
    vectors = encoder.encode(tasks.texts)
    texts = LabelledTexts(
        vectors=vectors,
        domain=tasks.domain,
        difficulty=np.zeros(len(tasks.ids)),
        answers=np.ones(len(tasks.ids), dtype=np.int64),
        domains=2,
    )
    number = int(np.flatnonzero(small_split.training)[0])
    changed = LabelledTexts(
        vectors=vectors,
        domain=tasks.domain,
        difficulty=np.where(np.arange(len(tasks.ids)) == number, 100.0, 0.0),
        answers=texts.answers,
        domains=2,
    )

    _, before = fit_reading(texts, tasks.ids, small_split.training)
    _, after = fit_reading(changed, tasks.ids, small_split.training)

    assert after[number] == pytest.approx(before[number])
    assert after != pytest.approx(before)


@pytest.mark.parametrize("present", [[0], [0, 2], [0, 1, 2]])
def test_domains_that_do_not_occur_are_never_read(present: list[int]) -> None:
    """One, two or three domains of three: the rest keep a chance of 0."""
    texts = [normalise(f"kind{number % len(present)} words") for number in range(30)]
    encoder = fit_tfidf(texts)
    reading = LabelledTexts(
        vectors=encoder.encode(texts),
        domain=np.array([present[number % len(present)] for number in range(30)]),
        difficulty=np.zeros(30),
        answers=np.ones(30, dtype=np.int64),
        domains=3,
    )

    heads, _ = fit_reading(reading, [f"task-{number}" for number in range(30)], np.ones(30, dtype=np.bool_))
    domains = heads.read(reading.vectors)[:, :3]

    assert (domains.argmax(axis=1) == reading.domain).all()
    assert np.delete(domains, present, axis=1).sum() == pytest.approx(0.0, abs=1e-6)


def test_confidence_is_the_formula() -> None:
    """Domains times abilities plus slope times difficulty, through the sigmoid."""
    model = ConfidenceModel(
        heads=TextHeads(np.zeros((2, 2)), np.zeros(2)),
        readings=reading_names(["only"]),
        abilities=np.array([[1.0], [-2.0]]),
        ability=np.zeros(1),
        general_score=np.full(1, 0.5),
    )

    assert model.confidence(np.array([[1.0, 0.25]])) == pytest.approx(sigmoid(np.array([[1.0 - 0.5]])))
