import math

import pytest

from chimera_router.prediction.applications import (
    APPLICATIONS,
    CAP,
    LIMIT,
    STEP,
    TENANTS,
    Application,
    Applications,
    Mean,
)
from chimera_router.prediction.correction import Corrections
from chimera_router.prediction.port import Observation
from chimera_training.encodings import APPLICATION_SHRINKAGE, LEVEL_SHRINKAGE

MODELS = ("small", "large")


def learn(applications: Applications, count: int, *, fingerprint: str = "f", model: str = "small") -> None:
    for _ in range(count):
        applications.observe(tenant="t", fingerprint=fingerprint, model=model, missed=1.0)


def factors(applications: Applications, *, tenant: str = "t", fingerprint: str = "f") -> list[float] | None:
    return applications.factors(tenant=tenant, fingerprint=fingerprint, models=MODELS)


def observation(tokens: int, *, fingerprint: str = "f", predicted: float | None = 100.0) -> Observation:
    return Observation(
        model="small", stage=0, output_tokens=tokens, predicted_tokens=predicted, fingerprint=fingerprint, tenant="t"
    )


def test_the_first_answer_counts_as_the_smoothing_says() -> None:
    """A step beside 20 values that say nothing; of what it leaves over, one beside 10."""
    applications = Applications()
    learn(applications, 1)

    level = STEP / (1.0 + LEVEL_SHRINKAGE)
    effect = (STEP - level) / (1.0 + APPLICATION_SHRINKAGE)
    assert factors(applications) == pytest.approx([math.exp(level + effect), math.exp(level)])


def test_many_answers_are_believed() -> None:
    """The model that gave them is predicted as it answers; one that gave none shares the level."""
    applications = Applications()
    learn(applications, 500)

    own, other = factors(applications) or []
    assert own == pytest.approx(math.e, rel=0.05)
    assert 1.8 < other < own


def test_models_of_one_application_are_told_apart() -> None:
    """The level lies between them, and each has its own effect."""
    applications = Applications()
    for _ in range(300):
        applications.observe(tenant="t", fingerprint="f", model="small", missed=1.0)
        applications.observe(tenant="t", fingerprint="f", model="large", missed=-1.0)

    small, large = factors(applications) or []
    assert small > 2.0
    assert large < 0.5


def test_old_answers_are_forgotten() -> None:
    """An application that changed is believed after some windows."""
    applications = Applications()
    learn(applications, 500)
    for _ in range(10 * int(CAP)):
        applications.observe(tenant="t", fingerprint="f", model="small", missed=0.0)

    assert factors(applications) == pytest.approx([1.0, 1.0], abs=1e-3)


def test_what_nobody_taught_has_no_factor() -> None:
    """Another application, and the same one of another tenant, are not known."""
    applications = Applications()
    learn(applications, 5)

    assert factors(applications, fingerprint="g") is None
    assert factors(applications, tenant="u") is None


def test_a_flood_of_applications_forgets_the_floods_own() -> None:
    """One tenant has so many places, and another tenant's application keeps its own."""
    applications = Applications()
    applications.observe(tenant="good", fingerprint="f", model="small", missed=1.0)
    learn(applications, 1, fingerprint="first")
    for number in range(3 * APPLICATIONS):
        learn(applications, 1, fingerprint=str(number))

    assert len(applications) == APPLICATIONS + 1
    assert applications.forgotten == 2 * APPLICATIONS + 1
    assert factors(applications, tenant="good") is not None
    assert factors(applications, fingerprint="first") is None


def test_the_application_heard_of_last_stays() -> None:
    """The one that goes is the one heard of longest ago, not the one learned first."""
    applications = Applications()
    for number in range(APPLICATIONS):
        learn(applications, 1, fingerprint=str(number))
    learn(applications, 1, fingerprint="0")
    learn(applications, 1, fingerprint="new")

    assert factors(applications, fingerprint="0") is not None
    assert factors(applications, fingerprint="1") is None


def test_tenants_are_bounded() -> None:
    """Past the bound the tenant heard of longest ago goes with all that it had."""
    applications = Applications()
    for number in range(TENANTS + 1):
        for fingerprint in "ab":
            applications.observe(tenant=str(number), fingerprint=fingerprint, model="small", missed=1.0)

    assert (len(applications), applications.forgotten) == (2 * TENANTS, 2)
    assert factors(applications, tenant="0", fingerprint="a") is None


def test_restored_means_cannot_pass_the_bounds() -> None:
    """Whatever level and effect say together."""
    wild = Application(level=Mean(CAP, 30.0), effects={"small": Mean(CAP, 30.0)})

    assert wild.factor("small") == pytest.approx(math.exp(LIMIT))


def test_answers_of_an_application_teach_it_and_not_its_model() -> None:
    """A chatty application lengthens nobody else's predictions; what it teaches is over the model's own correction."""
    corrections = Corrections()
    for _ in range(200):
        corrections.observe(observation(200, fingerprint=""))
    before = corrections.by_model["small"].length_factor
    for _ in range(200):
        corrections.observe(observation(600))

    after = corrections.by_model["small"].length_factor
    (own, _) = factors(corrections.applications) or []
    assert before == after == pytest.approx(2.0, rel=0.01)
    assert own == pytest.approx(3.0, rel=0.05)


def test_what_no_bundle_predicted_teaches_no_application() -> None:
    """Nor what the client's limit made: both come without a prediction."""
    corrections = Corrections()
    corrections.observe(observation(600, predicted=None))

    assert len(corrections.applications) == 0
