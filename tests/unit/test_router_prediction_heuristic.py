import pytest
from pools import FAST

from chimera_router.prediction.correction import Corrections, corrected
from chimera_router.prediction.heuristic import (
    PRIOR_CONFIDENCE,
    PRIOR_TOKENS,
    STAGES,
    WINDOW,
    HeuristicPredictor,
)
from chimera_router.prediction.port import Judgement, Observation, Query
from chimera_router.scheduling.types import Descriptor, Model, ModelPrediction, PredictionSource


def predictor(general_score: float = 0.0) -> HeuristicPredictor:
    described = Model(name="m", coefficients=FAST, descriptor=Descriptor(general_score=general_score))
    return HeuristicPredictor([described], Corrections())


def estimate(predictor: HeuristicPredictor, stage: int = 0, max_tokens: int | None = None) -> ModelPrediction:
    return predictor.estimate(Query(text="x", prompt_tokens=10, stage=stage, max_tokens=max_tokens)).by_model["m"]


def observe(predictor: HeuristicPredictor, tokens: list[int], stage: int = 0) -> None:
    for each in tokens:
        predictor.observe(Observation(model="m", stage=stage, output_tokens=each))


def test_it_says_who_answers() -> None:
    """Predictions carry their source."""
    answer = predictor().estimate(Query(text="x", prompt_tokens=1))

    assert answer.source is PredictionSource.HEURISTIC
    assert set(answer.by_model) == {"m"}


def test_confidence_is_the_general_score_or_even_odds() -> None:
    """Nothing that was observed changes it: lengths say nothing about right and wrong."""
    assert estimate(predictor(0.8)).confidence == 0.8
    assert estimate(predictor()).confidence == PRIOR_CONFIDENCE


def test_feedback_corrects_the_confidence() -> None:
    """A model that is always wrong loses confidence; the prior it was corrected from can be told."""
    m = predictor(0.8)
    for _ in range(50):
        m.judge(Judgement(model="m", confidence=0.8, success=0.0, tenant="a", at=0.0))

    answer = estimate(m)

    assert answer.confidence < 0.7
    assert corrected(answer.confidence, -answer.confidence_logits) == pytest.approx(0.8)


def test_before_anything_was_seen_priors_answer() -> None:
    """One call of the median length, and more to come."""
    prediction = estimate(predictor())

    assert prediction.stage_tokens == PRIOR_TOKENS
    assert prediction.remaining_tokens > prediction.stage_tokens


def test_the_median_follows_what_was_seen() -> None:
    """Whatever the prior, many answers outweigh it."""
    m = predictor()

    observe(m, [40, 50, 60] * 20)

    assert estimate(m).stage_tokens == 50


def test_one_answer_does_not_outweigh_the_prior() -> None:
    """A single short answer says little."""
    m = predictor()

    observe(m, [1])

    assert estimate(m).stage_tokens == PRIOR_TOKENS


def test_old_answers_are_forgotten() -> None:
    """After a window of new answers only these count."""
    m = predictor()

    observe(m, [1000] * WINDOW + [10] * WINDOW)

    assert estimate(m).stage_tokens == 10


def test_stages_are_told_apart() -> None:
    """What first calls take says nothing about second ones."""
    m = predictor()

    observe(m, [500] * 50, stage=1)

    assert estimate(m, stage=0).stage_tokens == PRIOR_TOKENS
    assert estimate(m, stage=1).stage_tokens == 500


def test_workflows_that_end_at_once_leave_nothing_remaining() -> None:
    """If no first call is ever followed by a second, remaining approaches the call itself."""
    m = predictor()

    observe(m, [100] * 2000)

    assert estimate(m).remaining_tokens == pytest.approx(100, rel=0.02)


def test_workflows_that_always_go_on_add_the_next_stage() -> None:
    """Every first call is followed by a second and never by a third."""
    m = predictor()

    for _ in range(2000):
        observe(m, [100], stage=0)
        observe(m, [40], stage=1)

    assert estimate(m, stage=0).remaining_tokens == pytest.approx(140, rel=0.02)
    assert estimate(m, stage=1).remaining_tokens == pytest.approx(40, rel=0.05)


def test_late_stages_share_the_last_one() -> None:
    """A dialogue of thirty calls is no error, and remembers nothing beyond the cap."""
    m = predictor()

    observe(m, [70] * 20, stage=30)

    assert estimate(m, stage=STAGES + 5).stage_tokens == 70


def test_the_clients_limit_caps_this_call() -> None:
    """An answer cannot be longer than the client allows; later calls are not limited by it."""
    free, limited = estimate(predictor()), estimate(predictor(), max_tokens=20)

    assert limited.stage_tokens == 20
    assert limited.remaining_tokens == pytest.approx(free.remaining_tokens - PRIOR_TOKENS + 20)


def test_a_model_that_left_the_pool_teaches_nothing() -> None:
    """Its last answers may still come in."""
    m = predictor()

    m.observe(Observation(model="gone", stage=0, output_tokens=9))

    assert estimate(m).stage_tokens == PRIOR_TOKENS


@pytest.mark.anyio
async def test_it_is_a_predictor() -> None:
    """Awaited, it gives the same; closing it is harmless."""
    m, query = predictor(), Query(text="x", prompt_tokens=10)

    assert await m.predict(query) == m.estimate(query)
    await m.aclose()
