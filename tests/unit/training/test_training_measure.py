import numpy as np
import pytest
from manifests import trained
from recordings import prompt_rows

from chimera_training.examples import Examples, arrange
from chimera_training.features import Floats
from chimera_training.measure import Predicted, measure
from chimera_training.pools import pools_of

MODELS = tuple(trained(name) for name in ("Big-70B-Chat", "Coder-7B-Chat", "Small-7B-Chat"))


def predicted(examples: Examples, *, stage: Floats, remaining: Floats, high: Floats, stage_high: Floats) -> Predicted:
    confidence = np.full((len(examples.tasks.ids), len(examples.models)), 0.5)
    tokens = np.vstack([stage, remaining, high])
    return Predicted(readings=confidence, confidence=confidence, tokens=tokens, stage_high=stage_high)


def perfect(examples: Examples) -> Predicted:
    stage, remaining = examples.calls.stage_tokens, examples.calls.remaining_tokens
    return predicted(examples, stage=stage, remaining=remaining, high=remaining, stage_high=stage)


def test_every_task_set_and_stage_group_has_its_figures(small_examples: Examples) -> None:
    """Lengths by task set, what remains of workflows alone, and confidences by pool."""
    measured = measure(small_examples, perfect(small_examples), pools_of(small_examples), MODELS)

    assert set(measured.confidence) == {"code", "sums"}
    assert {name: each.n for name, each in measured.length.items()} == {"code": 420, "sums": 180, "all": 600}
    assert {name: each.n for name, each in measured.remaining.items()} == {"all": 420, "first_stage": 180}


def test_perfect_lengths_have_no_error(small_examples: Examples) -> None:
    """Ranks agree, nothing is off, all is covered."""
    measured = measure(small_examples, perfect(small_examples), (), ())

    for figures in (*measured.length.values(), *measured.remaining.values()):
        assert (figures.spearman, figures.kendall) == (pytest.approx(1.0), pytest.approx(1.0))
        assert (figures.mae, figures.coverage90) == (0.0, 1.0)


def test_each_quantile_is_held_against_its_own_length(small_examples: Examples) -> None:
    """One of this call's tokens, one of all that remain."""
    calls = small_examples.calls
    off = predicted(
        small_examples,
        stage=calls.stage_tokens + 10,
        remaining=calls.remaining_tokens + 30,
        high=calls.stage_tokens,
        stage_high=calls.stage_tokens - 1,
    )

    measured = measure(small_examples, off, (), ())

    assert (measured.length["code"].mae, measured.remaining["all"].mae) == (10.0, 30.0)
    assert measured.length["code"].coverage90 == 0.0
    # Of seven calls of a code task, over three models, the only or last one of each workflow is all that remains.
    assert measured.remaining["all"].coverage90 == pytest.approx(3 / 7, abs=1e-4)


def test_data_without_workflows_leaves_what_remains_out() -> None:
    """A group without calls has no figures, rather than made-up ones."""
    examples = arrange(prompt_rows(), ())

    assert measure(examples, perfect(examples), (), ()).remaining == {}
