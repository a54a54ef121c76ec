import subprocess
import sys

import numpy as np
import pytest

from chimera_training.features import (
    APPLICATION_FEATURES,
    GRID,
    HEAD_CHARACTERS,
    LARGEST_NUMBER,
    NO_NUMBER,
    REQUEST_FEATURES,
    TAIL_CHARACTERS,
    TRAIT_FEATURES,
    length_columns,
    length_features,
    length_rows,
    message_measures,
    normalise,
    reading_names,
    request_rows,
    text_measures,
)

KNOWN = np.array([[900.0, 2.0, 120.0, 40.0, 80.0]])
MEASURES = np.array([[200.0, 3.0, 9.0]])
MESSAGES = np.array([[50.0, 2.0, 4.0, 1.0, 0.0, 1.0, 3.0]])
REQUESTS = request_rows(KNOWN, MEASURES, MESSAGES)


def test_text_is_put_in_lower_case() -> None:
    """Upper and lower case are one word."""
    assert normalise("Write A Function") == "write a function"


def test_a_long_text_loses_its_middle() -> None:
    """Beginning and end stay: agent prompts put the task after their preamble."""
    text = "b" * 5000 + "the task"

    assert normalise(text) == "b" * HEAD_CHARACTERS + " " + text[-TAIL_CHARACTERS:]


def test_a_text_of_the_largest_size_stays_whole() -> None:
    """Only what is longer is cut."""
    text = "x" * (HEAD_CHARACTERS + TAIL_CHARACTERS)

    assert normalise(text) == text


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    """JSON can carry one, UTF-8 cannot."""
    assert normalise("a\ud800b") == "a?b"


def test_measures_count_characters_digits_and_symbols() -> None:
    """Letters and spaces are neither digits nor symbols; nor are letters of other scripts."""
    assert text_measures("x1 = 23; é") == (10, 3, 2)
    assert text_measures("") == (0, 0, 0)


def test_a_message_tells_what_went_wrong_and_what_is_left() -> None:
    """As agents are told it: a failure, a refusal, then steps and answers left."""
    wrong = "your answer is wrong.\nyou have 3 steps left and 1 chances to propose solution left."
    failed = "nameerror: name 'list' is not defined\nyou have 4 steps left and 2 chances left."

    assert message_measures(wrong)[3:] == (0, 1, 1, 3)
    assert message_measures(failed)[3:] == (1, 0, 2, 4)
    assert message_measures(wrong)[:3] == text_measures(wrong)


@pytest.mark.parametrize(
    ("message", "numbers"),
    [
        ("", (NO_NUMBER, NO_NUMBER)),
        ("no number", (NO_NUMBER, NO_NUMBER)),
        ("only 7", (7, NO_NUMBER)),
        ("600.0 and 12", (12, 0)),
        ("9" * 190 + " 5", (5, LARGEST_NUMBER)),
        ("8 " + "x" * 300, (NO_NUMBER, NO_NUMBER)),
    ],
)
def test_the_last_numbers_are_few_and_small(message: str, numbers: tuple[int, int]) -> None:
    """Only at the end of the message; capped, since a large number counts no steps; marked where there is none."""
    assert message_measures(message)[5:] == numbers


def test_request_rows_are_logarithms_but_for_the_stage() -> None:
    """Tokens and characters enter as log(1 + n), stage, marks and numbers as they are, in the order of the names."""
    row = dict(zip(REQUEST_FEATURES, REQUESTS[0], strict=True))

    assert row["log_prompt_tokens"] == pytest.approx(np.log(901))
    assert row["stage"] == 2
    assert row["log_tokens_so_far"] == pytest.approx(np.log(121))
    assert row["log_last_tokens"] == pytest.approx(np.log(41))
    assert row["log_largest_tokens"] == pytest.approx(np.log(81))
    assert row["log_mean_tokens"] == pytest.approx(np.log(61))
    assert row["message_log_characters"] == pytest.approx(np.log(51))
    assert (row["message_failed"], row["message_rejected"]) == (1, 0)
    assert (row["message_last_number"], row["message_number_before"]) == (1, 3)
    assert row["log_characters"] == pytest.approx(np.log(201))
    assert row["log_digits"] == pytest.approx(np.log(4))
    assert row["log_symbols"] == pytest.approx(np.log(10))


def test_names_and_columns_agree() -> None:
    """There is one name for each column of the trees' input."""
    traits, applications = np.zeros((1, len(TRAIT_FEATURES))), np.zeros((1, len(APPLICATION_FEATURES)))
    rows = length_rows(REQUESTS, np.zeros((1, 3)), traits, applications)

    assert rows.shape == (1, len(length_features(reading_names(["code", "sums"]))))


def test_lengths_take_the_readings_that_they_know() -> None:
    """By name: readings that are added later change nothing in the trees' input."""
    plain = reading_names(["code", "sums"])
    more = ("domain:code", "latent:0", "domain:sums", "difficulty", "latent:1")

    assert plain == ("domain:code", "domain:sums", "difficulty")
    assert length_columns(plain) == [0, 1, 2]
    assert length_columns(more) == [0, 2, 3]
    assert length_features(more) == length_features(plain)


def test_values_lie_on_the_grid() -> None:
    """On the grid, values and the middle between two of them are exact in single precision."""
    rows = length_rows(np.array([[1 / 3]]), np.array([[0.12345]]), np.array([[-2.0 / 7]]), np.array([[0.5]]))

    assert rows.dtype == np.float32
    assert (rows.astype(np.float64) * GRID == np.round(rows.astype(np.float64) * GRID)).all()
    assert rows[0] == pytest.approx([1 / 3, 0.12345, -2 / 7, 0.5], abs=0.5 / GRID)


def test_what_the_router_imports_brings_no_training_library() -> None:
    """The picker's image has no scikit-learn, LightGBM, pyarrow or onnx."""
    heavy = {"sklearn", "scipy", "lightgbm", "pyarrow", "onnx", "onnxmltools", "pandas"}
    program = f"import sys, chimera_router.prediction.predictor; sys.exit(bool({heavy!r} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
