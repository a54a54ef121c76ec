import msgspec
import numpy as np
from encoders import run
from hypothesis import given
from hypothesis import strategies as st
from manifests import manifest
from recordings import workflow_rows

from chimera_training.bundle import ManifestError, decode, encode
from chimera_training.calibration import calibration_error, conformal_shift
from chimera_training.encodings import MEASURED, STAGES, Encodings, PoolRows
from chimera_training.features import (
    APPLICATION_FEATURES,
    GRID,
    HEAD_CHARACTERS,
    LARGEST_NUMBER,
    NO_NUMBER,
    REQUEST_FEATURES,
    TAIL_CHARACTERS,
    message_measures,
    normalise,
    request_rows,
    text_measures,
)
from chimera_training.length import effects
from chimera_training.split import fold, held_out, leaks
from chimera_training.tfidf import fit_tfidf

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=3000)
NUMBERS = st.floats(-50.0, 50.0)
WORDS = ("write", "a", "function", "that", "sorts", "42", "Sorts", "it's", "x_y", "#", "naïve", "many", "\n")
ENCODER = fit_tfidf([row.stages[0].text.lower() for row in workflow_rows()])


@given(ANY_TEXT)
def test_normalised_text_is_short_and_utf_8(text: str) -> None:
    """Within the cut, though lower case may lengthen a letter; and encodable, whatever came in."""
    normal = normalise(text)

    assert len(normal) <= 3 * (HEAD_CHARACTERS + TAIL_CHARACTERS + 1)
    assert normal.encode().decode() == normal


@given(st.lists(st.one_of(ANY_TEXT, st.lists(st.sampled_from(WORDS)).map(" ".join)), min_size=1, max_size=4))
def test_any_text_encodes_in_the_graph_as_in_its_source(texts: list[str]) -> None:
    """Tokenizer, counts, weights and length agree for whatever a client may send, alone or in a batch."""
    normal = [normalise(text) for text in texts]

    assert np.abs(run(ENCODER, normal) - ENCODER.encode(normal).toarray()).max() < 1e-5


@given(ANY_TEXT)
def test_measures_count_no_more_than_there_is(text: str) -> None:
    """Digits and symbols are characters."""
    characters, digits, symbols = text_measures(normalise(text))

    assert digits + symbols <= characters


@given(ANY_TEXT)
def test_any_message_can_be_measured(text: str) -> None:
    """Marks are 0 or 1, numbers between none and the cap."""
    *_, failed, rejected, last, before = message_measures(normalise(text))

    assert {failed, rejected} <= {0, 1}
    assert NO_NUMBER <= min(last, before) <= max(last, before) <= LARGEST_NUMBER


@given(
    st.lists(st.tuples(*[st.integers(0, 10**7)] * 5), min_size=1, max_size=4),
    st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=4),
)
def test_rows_are_finite_and_on_the_grid(known: list[tuple[int, ...]], traits: list[tuple[float, ...]]) -> None:
    """Any counts and traits: one row for each pair, exact in single precision."""
    messages = np.tile(message_measures(""), (len(known), 1))
    requests = request_rows(np.array(known, dtype=np.float64), np.zeros((len(known), 3)), messages)
    encodings = Encodings(np.zeros((1, STAGES, len(MEASURED))), np.zeros((1, len(traits), len(MEASURED))))
    nothing = np.zeros(len(known), dtype=np.int64)

    rows = PoolRows(np.array(traits), encodings).rows(requests, np.zeros((len(known), 2)), nothing, nothing)

    columns = len(REQUEST_FEATURES) + 2 + 3 + len(APPLICATION_FEATURES)
    assert rows.shape == (len(known) * len(traits), columns)
    assert np.isfinite(rows).all()
    small = np.abs(rows) < 2**13
    assert (rows[small].astype(np.float64) * GRID % 1 == 0).all()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_the_one_error(text: bytes) -> None:
    """Nothing else ever comes out of reading one."""
    try:
        decode(text)
    except ManifestError:
        return


@given(st.floats(-3, 3), st.lists(st.text(min_size=1), max_size=3), st.integers(0, 10**9))
def test_a_manifest_survives_being_written(shift: float, names: list[str], tasks: int) -> None:
    """Whatever its values."""
    written = msgspec.structs.replace(
        manifest(),
        models=tuple(
            msgspec.structs.replace(manifest().models[0], name=name) for name in dict.fromkeys([*names, "one more"])
        ),
        applications=(
            manifest().applications[0],
            msgspec.structs.replace(manifest().applications[1], remaining_shift=shift),
        ),
        training=msgspec.structs.replace(manifest().training, tasks=tasks),
    )

    assert decode(encode(written)) == written


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=200), st.floats(0.05, 0.99))
def test_a_shifted_quantile_covers_its_share(pairs: list[tuple[float, float]], coverage: float) -> None:
    """On the truths that it was calibrated with, never less than promised."""
    truth, predicted = np.array(pairs).T

    shift = conformal_shift(truth, predicted, coverage=coverage)

    assert (truth - predicted <= shift).mean() >= min(coverage, 1.0) - 1e-9


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=100))
def test_the_calibration_error_is_a_share(rows: list[tuple[float, bool]]) -> None:
    """Between 0 and 1, and at least the error of the mean."""
    confidence, success = np.array(rows, dtype=np.float64).T

    error = calibration_error(confidence, success)

    assert abs(confidence.mean() - success.mean()) - 1e-9 <= error <= 1.0


@given(st.lists(st.tuples(NUMBERS, st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=60))
def test_effects_are_of_the_size_of_the_values(rows: list[tuple[float, int, int]]) -> None:
    """Finite, and not blown up by groups and models that hardly meet."""
    values, group, model = (np.array(column) for column in zip(*rows, strict=True))
    group = np.unique(group, return_inverse=True)[1]

    found = effects(values, group, model, 4)

    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 2 * np.ptp(values) + 1e-9


@given(st.text(max_size=30))
def test_every_task_has_one_side_and_one_fold(task_id: str) -> None:
    """Any id at all."""
    assert held_out(task_id) in {True, False}
    assert 0 <= fold(task_id, 5) < 5


@given(st.lists(st.tuples(st.text("ab", max_size=60), st.booleans()), max_size=30))
def test_no_training_text_equals_a_held_out_one(rows: list[tuple[str, bool]]) -> None:
    """Long texts that are left to train on stand nowhere among the held-out ones; marked ones are never held out."""
    texts, held = [text for text, _ in rows], np.array([side for _, side in rows], dtype=np.bool_)

    marked = leaks(texts, held)

    assert not (marked & held).any()
    left = {
        text for text, side, leak in zip(texts, held, marked, strict=True) if not side and not leak and len(text) >= 40
    }
    assert left.isdisjoint(text for text, side in zip(texts, held, strict=True) if side)
