import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from pools import FAST

from chimera_router.errors import BundleError
from chimera_router.prediction import batching
from chimera_router.prediction.bundle import default_bundle
from chimera_router.prediction.correction import Corrections, corrected
from chimera_router.prediction.port import Judgement, Observation, Predictor, Query
from chimera_router.prediction.predictor import DEADLINE, BundlePredictor, open_predictor
from chimera_router.scheduling.types import Descriptor, KnownAs, Model, Predictions, PredictionSource
from chimera_training.bundle import TEXT
from chimera_training.data import Workflow, read_workflows, recorded_folder
from chimera_training.split import held_out

pytestmark = pytest.mark.anyio

DEMO = ("CodeQwen1.5-7B-Chat", "Meta-Llama-3-8B-Instruct", "Meta-Llama-3-70B-Instruct")
QUERY = Query(text="Write a function that sorts a list.", prompt_tokens=900)
LONG = 60.0  # seconds of deadline where a test is not about it: this machine is shared


@dataclass
class Told:
    """What the predictor reported."""

    fallbacks: list[str] = field(default_factory=list)
    refused: list[BundleError] = field(default_factory=list)

    def open(
        self,
        models: Sequence[Model],
        *,
        path: Path | None = None,
        deadline: float = LONG,
        corrections: Corrections | None = None,
    ) -> Predictor:
        return open_predictor(
            models,
            path=path,
            deadline=deadline,
            corrections=corrections,
            on_fallback=self.fallbacks.append,
            on_refused=self.refused.append,
        )


def models(*names: str, **descriptor: str | float) -> list[Model]:
    return [
        Model(name=name, coefficients=FAST, descriptor=Descriptor(**descriptor))  # type: ignore[arg-type]
        for name in names or DEMO
    ]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def predictor(told: Told) -> AsyncIterator[Predictor]:
    predictor = told.open(models())
    yield predictor
    await predictor.aclose()


async def test_the_default_bundle_answers_for_every_model(predictor: Predictor, told: Told) -> None:
    """One prediction each, from the bundle, without a fallback."""
    predictions = await predictor.predict(QUERY)

    assert predictor.source is predictions.source is PredictionSource.BUNDLE
    assert tuple(predictions.by_model) == DEMO
    assert told == Told()


async def test_predictions_keep_their_order(predictor: Predictor) -> None:
    """This call takes no more than the rest of the workflow, and the median no more than the high quantile."""
    for stage in range(4):
        predictions = await predictor.predict(
            Query(text=QUERY.text, prompt_tokens=900, stage=stage, tokens_so_far=100 * stage, last_tokens=100)
        )
        for each in predictions.by_model.values():
            assert 0.0 <= each.confidence <= 1.0
            assert 0.0 <= each.stage_tokens <= each.remaining_tokens


async def test_the_clients_limit_caps_this_call(predictor: Predictor) -> None:
    """No answer is longer than the client allows."""
    predictions = await predictor.predict(Query(text=QUERY.text, prompt_tokens=900, max_tokens=5))

    assert all(each.stage_tokens == 5 for each in predictions.by_model.values())


async def test_a_batch_answers_like_single_requests(predictor: Predictor) -> None:
    """Nobody gets his neighbour's prediction."""
    queries = [Query(text=f"Question {n}: what is {n} + {n}?" * n, prompt_tokens=50 * n) for n in range(1, 40)]

    together = await asyncio.gather(*map(predictor.predict, queries))

    for query, prediction in zip(queries, together, strict=True):
        alone = await predictor.predict(query)
        for name in DEMO:
            assert prediction.by_model[name].confidence == pytest.approx(alone.by_model[name].confidence, abs=1e-6)
            assert prediction.by_model[name].remaining_tokens == pytest.approx(alone.by_model[name].remaining_tokens)


@pytest.mark.parametrize("text", ["", "\x00", "\ud800", "😀" * 5000, "a" * 100_000, "\n" * 3000])
async def test_no_text_is_a_fault(predictor: Predictor, told: Told, text: str) -> None:
    """Whatever clients send, the bundle answers."""
    predictions = await predictor.predict(Query(text=text, prompt_tokens=0))

    assert predictions.source is PredictionSource.BUNDLE
    assert told.fallbacks == []


async def test_the_specialist_is_trusted_above_the_large_model_on_code_only(predictor: Predictor) -> None:
    """On held-out tasks: CodeQwen 7B goes before Llama-3 70B on MBPP, far behind it on MMLU, as recorded."""
    tasks = held_out_tasks(predictor)

    code = await mean_confidence(predictor, tasks, "mint-mbpp")
    knowledge = await mean_confidence(predictor, tasks, "mint-mmlu")

    assert code["CodeQwen1.5-7B-Chat"] > code["Meta-Llama-3-70B-Instruct"] > code["Meta-Llama-3-8B-Instruct"]
    assert knowledge["Meta-Llama-3-70B-Instruct"] > knowledge["CodeQwen1.5-7B-Chat"] + 0.2


async def test_confidences_are_calibrated_on_held_out_workflows(predictor: Predictor) -> None:
    """Over all held-out agent tasks, mean confidence in each model is near its success rate."""
    tasks = held_out_tasks(predictor)

    for name in DEMO:
        own = [task for task in tasks if task.model == name]
        confidence = np.mean([(await predictor.predict(first(task))).by_model[name].confidence for task in own])
        assert confidence == pytest.approx(np.mean([task.success for task in own]), abs=0.1)


def held_out_tasks(predictor: Predictor) -> list[Workflow]:
    assert predictor.source is PredictionSource.BUNDLE
    return [row for row in read_workflows(recorded_folder(), models=DEMO) if held_out(row.task_id)]


def first(task: Workflow) -> Query:
    return Query(text=task.stages[0].text, prompt_tokens=task.stages[0].prompt_tokens)


async def mean_confidence(predictor: Predictor, tasks: list[Workflow], task_set: str) -> dict[str, float]:
    queries = [first(task) for task in tasks if task.task_set == task_set and task.model == DEMO[0]]
    answers = [await predictor.predict(query) for query in queries]
    return {name: float(np.mean([answer.by_model[name].confidence for answer in answers])) for name in DEMO}


async def test_a_model_of_which_nothing_is_known_keeps_its_prior(told: Told) -> None:
    """Even odds, whatever the text; lengths are those of the average model."""
    predictor = told.open([*models("stranger"), *models()])

    prediction = (await predictor.predict(QUERY)).by_model["stranger"]

    assert prediction.confidence == 0.5
    assert prediction.remaining_tokens > 0
    await predictor.aclose()


async def test_a_model_that_the_bundle_does_not_know_is_placed_by_its_description(told: Told) -> None:
    """Confidence follows the text and the size, though nobody ever recorded the model."""
    sizes = [*models("tiny", parameters_b=1), *models("huge", parameters_b=400)]
    predictor = told.open(sizes)

    easy = (await predictor.predict(Query(text="What is 2 + 3?", prompt_tokens=20))).by_model
    hard = (await predictor.predict(QUERY)).by_model

    assert 0.0 < easy["tiny"].confidence < easy["huge"].confidence < 1.0
    assert easy["tiny"].confidence != hard["tiny"].confidence
    assert easy["tiny"].stage_tokens > 0
    await predictor.aclose()


async def test_a_model_is_known_by_the_name_it_was_recorded_under(told: Told) -> None:
    """Another name, the same predictions as the model it was recorded as."""
    predictor = told.open([*models("mine", trained_as=DEMO[0]), *models(DEMO[0])])

    predictions = (await predictor.predict(QUERY)).by_model

    assert predictions["mine"] == predictions[DEMO[0]]
    await predictor.aclose()


async def test_past_the_deadline_running_medians_answer(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stuck worker delays no decision; the reason is reported."""
    stuck = threading.Event()
    predictor = told.open(models(), deadline=0.01)
    assert isinstance(predictor, BundlePredictor)
    monkeypatch.setattr(predictor._answers._graphs, "read", lambda _: stuck.wait(LONG))

    predictions = await predictor.predict(QUERY)

    assert predictions.source is PredictionSource.HEURISTIC
    assert set(predictions.by_model) == set(DEMO)
    assert told.fallbacks == ["deadline"]
    stuck.set()
    await predictor.aclose()


async def test_after_a_fault_running_medians_answer(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the bundle does, the decision is made; the next request may be the bundle's again."""
    predictor = told.open(models())
    assert isinstance(predictor, BundlePredictor)
    with monkeypatch.context() as broken:
        broken.setattr(predictor._answers._graphs, "read", lambda _: 1 / 0)
        assert (await predictor.predict(QUERY)).source is PredictionSource.HEURISTIC

    assert (await predictor.predict(QUERY)).source is PredictionSource.BUNDLE
    assert told.fallbacks == ["fault"]
    await predictor.aclose()


async def test_where_too_many_wait_running_medians_answer(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full queue is no reason to refuse a request."""
    monkeypatch.setattr(batching, "LONGEST_QUEUE", 0)
    predictor = told.open(models())

    assert (await predictor.predict(QUERY)).source is PredictionSource.HEURISTIC
    assert told.fallbacks == ["busy"]
    await predictor.aclose()


async def test_a_closed_predictor_still_answers(told: Told) -> None:
    """A request that held on to the old one while the configuration was swapped gets a decision."""
    predictor = told.open(models())
    await predictor.aclose()

    predictions = await predictor.predict(QUERY)

    assert predictions.source is PredictionSource.HEURISTIC
    assert told.fallbacks == ["fault"]


async def test_medians_stay_current_while_the_bundle_answers(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was observed is there when it is needed."""
    predictor = told.open(models())
    for _ in range(50):
        predictor.observe(Observation(model=DEMO[0], stage=0, output_tokens=33))
    monkeypatch.setattr(batching, "LONGEST_QUEUE", 0)

    predictions: Predictions = await predictor.predict(QUERY)

    assert predictions.by_model[DEMO[0]].stage_tokens == 33
    await predictor.aclose()


async def test_a_refused_bundle_leaves_running_medians(told: Told, tmp_path: Path) -> None:
    """The refusal names the file and the rule; every answer counts as a fallback."""
    bundle = Path(shutil.copytree(default_bundle(), tmp_path / "bundle"))
    (bundle / TEXT).write_bytes(b"something else")

    predictor = told.open(models(), path=bundle)
    predictions = await predictor.predict(QUERY)

    assert predictor.source is predictions.source is PredictionSource.HEURISTIC
    (refused,) = told.refused
    assert f"{bundle / TEXT}: its sha256 must be" in str(refused)
    assert told.fallbacks == ["no-bundle"]
    await predictor.aclose()


async def test_a_bundle_that_is_not_there_is_refused(told: Told, tmp_path: Path) -> None:
    """No bundle is a refusal too, not a crash."""
    predictor = told.open(models(), path=tmp_path)

    assert predictor.source is PredictionSource.HEURISTIC
    assert "bundle.json: the file is missing" in str(told.refused[0])


async def test_what_came_true_corrects_the_bundle(told: Told) -> None:
    """Lengths by the factor, confidence by the logits, of that model alone; both are told with the prediction."""
    plain, learning = told.open(models()), told.open(models())
    for _ in range(100):
        learning.observe(Observation(model=DEMO[0], stage=0, output_tokens=200, predicted_tokens=100.0, tenant="a"))
        learning.judge(Judgement(model=DEMO[0], confidence=0.5, success=0.75, tenant="a", at=0.0))

    before, after = (await plain.predict(QUERY)).by_model, (await learning.predict(QUERY)).by_model

    first = after[DEMO[0]]
    assert first.length_factor == pytest.approx(2.0)
    assert first.remaining_tokens == pytest.approx(2.0 * before[DEMO[0]].remaining_tokens)
    assert corrected(before[DEMO[0]].confidence, first.confidence_logits) == pytest.approx(first.confidence)
    assert first.confidence_logits == pytest.approx(np.log(3.0))
    assert [after[name] for name in DEMO[1:]] == [before[name] for name in DEMO[1:]]
    await plain.aclose()
    await learning.aclose()


async def test_a_corrected_length_keeps_to_the_clients_limit(told: Told) -> None:
    """The limit is applied to what was corrected."""
    corrections = Corrections()
    predictor = told.open(models(), corrections=corrections)
    for _ in range(100):
        predictor.observe(Observation(model=DEMO[0], stage=0, output_tokens=400, predicted_tokens=100.0))

    prediction = (await predictor.predict(Query(text="x", prompt_tokens=9, max_tokens=7))).by_model[DEMO[0]]

    assert prediction.stage_tokens == 7
    assert corrections.by_model[DEMO[0]].length_factor == pytest.approx(4.0)
    await predictor.aclose()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\ud800",
        "na\udcefve \x00\ufeff" * 500,
        "x" * 1_000_000,
        "\udfff" * 1_000_000,
        "\U0001f600 ma\u00f1ana " * 100_000,
    ],
    ids=["empty", "half a pair", "not UTF-8", "1 MB", "1 MB of halves", "1 MB of other scripts"],
)
async def test_any_prompt_is_predicted_within_the_budget(text: str) -> None:
    """By the bundle: text is cut, and what is no text is replaced. The budget is the picker's own deadline, thrice."""
    told = Told()
    predictor = told.open(models(), deadline=3 * DEADLINE)  # others run on this machine's cores
    await predictor.predict(QUERY)  # the first prediction allocates

    predictions = await predictor.predict(Query(text=text, prompt_tokens=len(text) // 4))

    await predictor.aclose()
    assert (told.fallbacks, predictions.source) == ([], PredictionSource.BUNDLE)
    for prediction in predictions.by_model.values():
        assert 0 < prediction.confidence < 1
        assert 0 <= prediction.stage_tokens <= prediction.remaining_tokens


async def test_the_task_at_the_end_of_a_long_prompt_counts() -> None:
    """Text is cut in the middle: two long prompts that end in different tasks are told apart."""
    predictor = Told().open(models())
    filler, tasks = (
        "A rule of the house that every answer keeps to. " * 20_000,
        (QUERY.text, "How many apples are 3 + 4?"),
    )

    sorting, sums = [await predictor.predict(Query(text=filler + task * 9, prompt_tokens=250_000)) for task in tasks]

    await predictor.aclose()
    assert sorting.by_model[DEMO[0]].confidence != sums.by_model[DEMO[0]].confidence


KNOWN = Query(text=QUERY.text, prompt_tokens=900, fingerprint="f", tenant="t")


def answered(tokens: int, *, model: str = DEMO[0]) -> Observation:
    return Observation(model=model, stage=0, output_tokens=tokens, predicted_tokens=100.0, fingerprint="f", tenant="t")


async def test_an_application_that_was_learned_has_its_own_lengths(told: Told) -> None:
    """This call and what remains by one factor; the model that answered most; others, and other tenants, not at all."""
    predictor = told.open(models())
    before = await predictor.predict(KNOWN)
    for _ in range(300):
        predictor.observe(answered(300))

    after = await predictor.predict(KNOWN)

    assert (before.application, after.application) == (KnownAs.UNKNOWN, KnownAs.LEARNED)
    first, old = after.by_model[DEMO[0]], before.by_model[DEMO[0]]
    assert first.length_factor == pytest.approx(3.0, rel=0.05)
    assert first.stage_tokens / old.stage_tokens == pytest.approx(first.length_factor)
    assert first.remaining_tokens / old.remaining_tokens == pytest.approx(first.length_factor)
    assert 1.5 < after.by_model[DEMO[1]].length_factor < first.length_factor
    for stranger in (QUERY, replace(KNOWN, tenant="u"), replace(KNOWN, fingerprint="g")):
        assert await predictor.predict(stranger) == before
    await predictor.aclose()


async def test_an_application_of_the_bundle_is_known_by_its_name(told: Told) -> None:
    """Its encodings are the bundle's from the first request, and what it answers moves it on from there."""
    predictor = told.open(models())
    named = replace(KNOWN, application="gsm8k")
    before, unknown = await predictor.predict(named), await predictor.predict(KNOWN)
    for _ in range(300):
        predictor.observe(answered(300))

    after = await predictor.predict(named)

    assert before.application is after.application is KnownAs.BUNDLE
    assert before.by_model[DEMO[0]].stage_tokens != unknown.by_model[DEMO[0]].stage_tokens
    assert after.by_model[DEMO[0]].stage_tokens > 2.5 * before.by_model[DEMO[0]].stage_tokens
    await predictor.aclose()


async def test_in_a_batch_everyone_has_his_own_application(told: Told) -> None:
    """Nobody gets his neighbour's factor."""
    predictor = told.open(models())
    for _ in range(100):
        predictor.observe(answered(300))

    together = await asyncio.gather(*map(predictor.predict, [KNOWN, QUERY] * 5))

    assert [each.application for each in together] == [KnownAs.LEARNED, KnownAs.UNKNOWN] * 5
    assert {each.by_model[DEMO[0]].length_factor for each in together[1::2]} == {1.0}
    await predictor.aclose()
