import numpy as np
import pytest

from chimera_training.encodings import (
    APPLICATION_SHRINKAGE,
    MEASURED,
    STAGES,
    UNKNOWN,
    Encodings,
    PoolRows,
    fit_encodings,
)
from chimera_training.features import APPLICATION_FEATURES, Floats, length_rows

COPIES = 2000  # of every call: so many that shrinkage is nothing


def fitted(values: Floats, application: list[int], stage: list[int], model: list[int], *, copies: int) -> Encodings:
    measured = np.repeat(values[:, None], len(MEASURED), axis=1)
    keys = (np.tile(each, copies) for each in (application, stage, model))
    return fit_encodings(np.tile(measured, (copies, 1)), *keys, shape=(2, 2))


def test_level_and_effect_add_up_to_what_was_measured() -> None:
    """With calls enough of every pair."""
    found = fitted(np.array([1.0, 3.0, 5.0, 5.0]), [1, 1, 2, 2], [0, 0, 0, 0], [0, 1, 0, 1], copies=COPIES)

    sums = found.levels[[1, 1, 2, 2], 0] + found.effects[[1, 1, 2, 2], [0, 1, 0, 1]]

    assert sums[:, 0] == pytest.approx([1.0, 3.0, 5.0, 5.0], abs=0.05)
    assert found.levels[1:, 0, 0] == pytest.approx([2.0, 5.0], abs=0.05)


def test_an_unknown_application_is_the_mean_of_all() -> None:
    """Its levels are those of all calls at the stage, its effects those of the model everywhere."""
    found = fitted(np.array([1.0, 3.0, 5.0, 7.0]), [1, 1, 2, 2], [0, 0, 0, 0], [0, 1, 0, 1], copies=COPIES)

    assert found.levels[UNKNOWN, 0, 0] == pytest.approx(4.0)
    assert found.effects[UNKNOWN, :, 0] == pytest.approx([-1.0, 1.0], abs=0.01)


def test_a_model_that_never_met_an_application_has_its_effect_elsewhere() -> None:
    """That is the best guess."""
    found = fitted(np.array([1.0, 3.0, 4.0]), [1, 1, 2], [0, 0, 0], [0, 1, 0], copies=COPIES)

    assert found.effects[2, 1] == pytest.approx(found.effects[UNKNOWN, 1])


def test_few_calls_move_little() -> None:
    """One call of a pair counts as much as its share against the shrinkage."""
    calls = [1.0] * 500 + [3.0] * 500 + [10.0]
    application, model = [1] * 500 + [2] * 501, [0] * 500 + [1] * 501

    found = fitted(np.array(calls), application, [0] * 1001, model, copies=1)
    pair = fitted(np.array([*calls, 10.0]), [*application, 1], [0] * 1002, [*model, 1], copies=1)

    assert abs(pair.effects[1, 1, 0] - found.effects[1, 1, 0]) < 10.0 / APPLICATION_SHRINKAGE


def test_a_stage_beyond_the_last_has_the_levels_of_the_last() -> None:
    """However long the workflow."""
    found = fitted(np.array([1.0, 9.0]), [1, 1], [0, 500], [0, 0], copies=50)

    late = found.rows(np.array([1, 1]), np.array([STAGES - 1, 900]), np.array([0, 0]))

    assert late[0].tolist() == late[1].tolist()
    assert late[0, 1] > 5


def test_rows_have_the_columns_that_the_features_name() -> None:
    """Whether the application is known, levels, effects."""
    found = fitted(np.array([1.0, 3.0]), [1, 2], [0, 0], [0, 1], copies=50)

    rows = found.rows(np.array([UNKNOWN, 2]), np.array([0, 1]), np.array([0, 1]))

    assert rows.shape == (2, len(APPLICATION_FEATURES))
    assert rows[:, 0].tolist() == [0, 1]


def test_every_request_meets_every_model_requests_first() -> None:
    """Row i * m + j is request i with model j, as training lays out the row of that call alone."""
    found = fitted(np.array([1.0, 3.0]), [1, 2], [0, 0], [0, 1], copies=50)
    requests, readings = np.array([[0.1], [2.0]]), np.array([[5.0], [1 / 3]])
    traits = np.array([[0.7, 0.0, 1.0], [0.2, 9.0, -1.0]])
    application, stage = np.array([UNKNOWN, 2]), np.array([900, 1])

    rows = PoolRows(traits, found).rows(requests, readings, application, stage)

    for row, (request, model) in zip(rows, [(0, 0), (0, 1), (1, 0), (1, 1)], strict=True):
        one = slice(request, request + 1)
        alone = length_rows(
            requests[one], readings[one], traits[[model]], found.rows(application[one], stage[one], np.array([model]))
        )
        assert row.tolist() == alone[0].tolist()
