import json
import math
from dataclasses import replace

import msgspec
import pytest
from directors import FakePredictor, director
from pools import prediction

from chimera_router import wire
from chimera_router.director import Director
from chimera_router.errors import InvalidRequest, NoEndpoints, UnknownResponse
from chimera_router.exchange import Exchange
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, parse
from chimera_router.parsing.replies import Answer, Reply
from chimera_router.parsing.usage import Usage
from chimera_router.prediction.port import Judgement, Observation
from chimera_router.protocol.events import AnswerEnded, AnswerStarted, AnswerTold, Choose
from chimera_router.scheduling.types import PredictionSource
from chimera_router.workflow.identity import tenant_digest

pytestmark = pytest.mark.anyio

TASK = {"role": "user", "content": "task"}
LATER = [TASK, {"role": "assistant", "content": "thought"}, {"role": "user", "content": "observed"}]


def asked(*messages: dict[str, str], pinned: str | None = None, **headers: str) -> Choose:
    body = json.dumps({"model": "auto", "messages": messages or [TASK]}).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Choose(request=parse(Api.CHAT, body, Limits()), headers=names, pinned=pinned, subset=None)


def metric(made: Director, name: str, **labels: str) -> float | None:
    return made.metrics.registry.get_sample_value(name, labels)


def in_flight(made: Director) -> int:
    return sum(state.load.requests for state in made.snapshot().endpoints)


async def finished(made: Director, *messages: dict[str, str], tokens: int = 10) -> Exchange:
    exchange = await made.choose(asked(*messages))
    exchange.started(AnswerStarted(200))
    exchange.ended(AnswerEnded(tokens, Usage(5, tokens, 2)))
    exchange.close()
    return exchange


async def test_exchange_routes_to_the_model_chosen() -> None:
    """A decision becomes a route: address, the engine's model name, the place in the queue, the headers."""
    exchange = await director().choose(asked())

    assert (exchange.route.destination, exchange.route.model) == ("127.0.0.1:2", "large")
    assert exchange.route.priority is not None
    assert dict(exchange.route.response_headers) == {wire.MODEL: "large", wire.WORKFLOW_ID: "wf-0"}


async def test_decision_is_explained_on_request() -> None:
    """With the explain header the answer carries every model's confidence, latency and verdict."""
    exchange = await director().choose(asked(x_chimera_explain="true"))

    explained = json.loads(dict(exchange.route.response_headers)[wire.DECISION])
    assert [(each["model"], each["confidence"], each["verdict"]) for each in explained["models"]] == [
        ("small", 0.4, "less-confident"),
        ("large", 0.9, "chosen"),
    ]
    assert (explained["policy"], explained["reason"], explained["predictor"]) == ("slack", "policy", "bundle")


async def test_in_flight_lasts_from_choice_to_close() -> None:
    """A request weighs on its endpoint until it is closed, however it ended."""
    made = director()

    exchange = await made.choose(asked())
    during = in_flight(made)
    exchange.close()

    assert (during, in_flight(made)) == (1, 0)


async def test_close_without_an_end_is_counted() -> None:
    """An exchange that breaks off is counted as unfinished and teaches nothing."""
    predictor = FakePredictor(small=prediction(0.4), large=prediction(0.9))
    made = director(predictor)

    (await made.choose(asked())).close()

    assert (metric(made, "chimera_answers_unfinished_total", model="large"), predictor.seen) == (1, [])


async def test_outcome_teaches_predictor_and_workflow() -> None:
    """What a stage generated reaches the predictor, and is known when the next stage is predicted."""
    predictor = FakePredictor(small=prediction(0.4), large=prediction(0.9))
    made = director(predictor)

    await finished(made, TASK, tokens=30)
    await finished(made, *LATER, tokens=12)

    known = {"model": "large", "predicted_tokens": 100.0, "tenant": tenant_digest(""), "at": made.wall()}
    assert predictor.seen == [
        Observation(stage=0, output_tokens=30, **known),  # type: ignore[arg-type]
        Observation(stage=1, output_tokens=12, **known),  # type: ignore[arg-type]
    ]
    later = predictor.asked[1]
    assert (later.text, later.stage, later.tokens_so_far, later.last_tokens) == ("task", 1, 30, 30)
    assert (later.largest_tokens, later.last_text) == (30, "observed")


async def test_an_application_that_gives_its_name_is_predicted_by_it() -> None:
    """By header, at every stage that sends it; without one nothing is assumed."""
    predictor = FakePredictor(small=prediction(0.4), large=prediction(0.9))
    made = director(predictor)

    (await made.choose(asked(x_chimera_application="tickets"))).close()
    (await made.choose(asked())).close()

    assert [query.application for query in predictor.asked] == ["tickets", ""]


async def test_an_answer_teaches_the_application_that_asked() -> None:
    """What was asked with and what is learned have one fingerprint; a user's words alone have none."""
    predictor = FakePredictor(small=prediction(0.4), large=prediction(0.9))
    made = director(predictor)

    await finished(made, {"role": "system", "content": "Be brief."}, TASK)
    await finished(made, TASK)

    known, unknown = predictor.asked
    assert known.fingerprint
    assert (known.tenant, unknown.fingerprint) == (tenant_digest(""), "")
    assert [seen.fingerprint for seen in predictor.seen] == [known.fingerprint, ""]


async def test_requests_are_counted_by_what_is_known_of_their_application() -> None:
    """Under three names, whatever applications call themselves."""
    made = director()
    (await made.choose(asked(x_chimera_application="canary"))).close()

    assert metric(made, "chimera_application_requests_total", known_as="unknown") == 1
    assert b"canary" not in made.metrics.page()


async def test_explain_reads_who_would_ask() -> None:
    """Name and tenant of the application come from the headers, as in a request."""
    predictor = FakePredictor(small=prediction(0.4), large=prediction(0.9))
    named = {wire.APPLICATION: "tickets", wire.TENANT: "acme"}

    await director(predictor).explain(asked().request, named, None)

    (query,) = predictor.asked
    assert (query.application, query.tenant) == ("tickets", tenant_digest("acme"))
    assert query.fingerprint


async def test_correction_learns_from_what_the_bundle_itself_predicted() -> None:
    """The factor that was applied is taken out again: else a correction would chase its own effect."""
    thrice = [replace(prediction(chance, tokens=300.0), length_factor=3.0) for chance in (0.9, 0.1)]
    predictor = FakePredictor(large=thrice[0], small=thrice[1])
    made = director(predictor)

    await finished(made, TASK, tokens=30)

    assert predictor.seen[0].predicted_tokens == 100.0
    for correction, factor in (("before", 100 / 30), ("after", 300 / 30)):
        labels = {"model": predictor.seen[0].model, "correction": correction}
        assert metric(made, "chimera_length_error_factor_sum", **labels) == pytest.approx(factor)


@pytest.mark.parametrize(("limit", "learned"), [(None, 100.0), (500, 100.0), (100, None), (30, None)])
async def test_what_the_clients_limit_made_teaches_no_length(limit: int | None, learned: float | None) -> None:
    """Where the limit cut the prediction or the answer, their ratio says nothing of the model."""
    predictor = FakePredictor(small=prediction(0.4), large=prediction(0.9))
    made = director(predictor)
    choose = asked()
    exchange = await made.choose(msgspec.structs.replace(choose, request=replace(choose.request, max_tokens=limit)))

    exchange.ended(AnswerEnded(30, Usage()))
    exchange.close()

    assert predictor.seen[0].predicted_tokens == learned


async def test_running_medians_predictions_teach_no_length() -> None:
    """They follow what was observed by themselves."""
    predictor = FakePredictor(small=prediction(0.4), large=prediction(0.9))
    predictor.source = PredictionSource.HEURISTIC
    made = director(predictor)

    await finished(made, TASK, tokens=30)

    assert predictor.seen[0].predicted_tokens is None


async def test_feedback_is_held_against_the_choice() -> None:
    """The predictor learns model, uncorrected confidence and success; of the tenant it learns a digest."""
    sure = replace(prediction(0.9), confidence_logits=math.log(9.0))
    predictor = FakePredictor(small=prediction(0.4), large=sure)
    made = director(predictor)
    await made.choose(asked(x_chimera_workflow_id="w", x_chimera_tenant="acme"))

    model = await made.judge(0.25, tenant="acme", workflow_id="w")

    assert model == "large"
    assert predictor.judged == [
        Judgement(
            model="large",
            confidence=pytest.approx(0.5),  # type: ignore[arg-type]
            success=0.25,
            tenant=tenant_digest("acme"),
            at=made.wall(),
        )
    ]
    assert metric(made, "chimera_feedback_total", model="large") == 1
    assert b"acme" not in made.metrics.page()
    for correction, square in (("before", 0.25**2), ("after", 0.65**2)):
        labels = {"model": "large", "correction": correction}
        assert metric(made, "chimera_confidence_squared_error_sum", **labels) == pytest.approx(square)


async def test_later_stage_stays_and_is_tallied() -> None:
    """A conversation that goes on keeps its model though the predictor has changed its mind."""
    predictor = FakePredictor(small=prediction(0.4), large=prediction(0.9))
    made = director(predictor)
    await finished(made, TASK)
    predictor.by_model = {"small": prediction(0.9), "large": prediction(0.1)}

    later = await finished(made, *LATER)

    assert later.decision.model == "large"
    assert (made.tally.stages, made.tally.later_stages, made.tally.recognised, made.tally.kept) == (2, 1, 1, 1)


async def test_unreachable_engine_leaves_rotation_at_once() -> None:
    """A 503 from the gateway takes the endpoint out before the next scrape, and the next request goes elsewhere."""
    made = director()
    first = await made.choose(asked())
    first.started(AnswerStarted(503))
    first.close()

    second = await made.choose(asked())

    assert (first.decision.model, second.decision.model) == ("large", "small")


async def test_what_an_engine_said_is_old_when_a_request_goes_there() -> None:
    """Whoever asks engines learns of every request that is sent, and where to."""
    made = director()
    told: list[str] = []
    made.datastore.outdated = told.append

    first = await made.choose(asked())
    second = await made.choose(asked())

    assert told == [first.decision.endpoint.address, second.decision.endpoint.address]


async def test_engines_own_error_keeps_it_in_rotation() -> None:
    """A 500 or 429 is an answer: the engine is there."""
    made = director()
    for status in (429, 500):
        exchange = await made.choose(asked())
        exchange.started(AnswerStarted(status))
        exchange.close()

    assert all(state.ready for state in made.snapshot().endpoints)


async def test_no_endpoint_is_refused() -> None:
    """Without a ready endpoint nothing is reserved."""
    made = director(ready=False)

    with pytest.raises(NoEndpoints):
        await made.choose(asked())

    assert in_flight(made) == 0


async def test_configuration_may_change_under_an_exchange() -> None:
    """An exchange that began under the old configuration ends under it."""
    made = director()
    exchange = await made.choose(asked())

    made.pool = replace(made.pool, predictor=FakePredictor(small=prediction(), large=prediction()))
    exchange.ended(AnswerEnded(5, Usage()))
    exchange.close()

    assert metric(made, "chimera_answers_unfinished_total", model="large") is None


async def test_explain_changes_nothing() -> None:
    """Asking for a decision reserves nothing and opens no workflow."""
    made = director()

    decision = await made.explain(asked().request, {}, None)

    assert (decision.model, in_flight(made), made.workflows(), made.tally.stages) == ("large", 0, 0, 0)


async def test_metrics_page_shows_the_pool() -> None:
    """Requests, decisions, readiness and backlog are on the metrics page, under the pool's own names."""
    made = director()
    exchange = await made.choose(asked())
    exchange.progressed(40)

    assert metric(made, "chimera_requests_total", model="large") == 1
    assert metric(made, "chimera_decisions_total", model="large", reason="policy") == 1
    assert metric(made, "chimera_endpoint_ready", endpoint="small-0", model="small") == 1
    assert metric(made, "chimera_in_flight_requests", endpoint="large-0", model="large") == 1
    assert metric(made, "chimera_in_flight_tokens", endpoint="large-0", model="large") == 60
    assert metric(made, "chimera_workflows_open") == 1
    assert b"chimera_first_byte_seconds" in made.metrics.page()


def response(previous: str = "", subset: frozenset[str] | None = None, **headers: str) -> Choose:
    body = {"model": "auto", "input": "go on"} | ({"previous_response_id": previous} if previous else {})
    request = parse(Api.RESPONSES, json.dumps(body).encode(), Limits())
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Choose(request=request, headers=names, pinned=None, subset=subset)


async def answered(made: Director, asked_for: Choose, name: str) -> Exchange:
    exchange = await made.choose(asked_for)
    exchange.started(AnswerStarted(200))
    exchange.told(AnswerTold(10, Answer((Reply("done"),), name)))
    exchange.ended(AnswerEnded(10, Usage()))
    exchange.close()
    return exchange


async def test_a_response_is_continued_on_the_engine_that_keeps_it() -> None:
    """Whatever model is preferred by then, and nowhere outside the gateway's subset."""
    predictor = FakePredictor(small=prediction(0.9), large=prediction(0.1))
    made = director(predictor)
    first = await answered(made, response(), "resp_1")
    predictor.by_model = {"small": prediction(0.1), "large": prediction(0.9)}

    second = await made.choose(response("resp_1"))

    assert first.route.destination == second.route.destination == "127.0.0.1:1"
    assert second.program is first.program
    with pytest.raises(NoEndpoints):
        await made.choose(response("resp_1", subset=frozenset({"127.0.0.1:2"})))


async def test_a_response_is_not_continued_by_another_model() -> None:
    """A pin that contradicts it is the client's mistake, and says so."""
    made = director()
    await answered(made, response(), "resp_1")

    with pytest.raises(InvalidRequest, match="model must be the one"):
        await made.choose(msgspec.structs.replace(response("resp_1"), pinned="small"))
    assert (await made.choose(msgspec.structs.replace(response("resp_1"), pinned="large"))).program.in_flight == 1


async def test_a_response_whose_engine_is_gone_is_not_continued_elsewhere() -> None:
    """No other engine has it in its memory."""
    made = director()
    exchange = await answered(made, response(), "resp_1")
    made.datastore.failed(exchange.route.destination)

    with pytest.raises(NoEndpoints):
        await made.choose(response("resp_1"))


async def test_an_unknown_response_reserves_nothing() -> None:
    """It is refused before anything is decided."""
    made = director()

    with pytest.raises(UnknownResponse):
        await made.choose(response("resp_9"))

    assert (in_flight(made), made.workflows()) == (0, 0)


async def test_equal_first_requests_go_on_by_what_they_were_told() -> None:
    """What the answers said reaches the program table."""
    made = director()
    exchanges = [await made.choose(asked()) for _ in range(2)]
    for number, exchange in enumerate(exchanges):
        exchange.told(AnswerTold(5, Answer((Reply(f"thought {number}"),))))
        exchange.ended(AnswerEnded(5, Usage()))
        exchange.close()

    for number in (1, 0):
        later = [TASK, {"role": "assistant", "content": f"thought {number}"}, {"role": "user", "content": "observed"}]
        assert (await made.choose(asked(*later))).program is exchanges[number].program


@pytest.mark.parametrize("status", [None, 400, 503])
async def test_a_failed_first_request_again_is_the_same_workflow(status: int | None) -> None:
    """Whether the client hung up or the engine refused: nothing was answered, so the same words are a retry."""
    made = director()
    first = await made.choose(asked())
    if status:
        first.started(AnswerStarted(status))
        first.ended(AnswerEnded(0, Usage()))
    first.close()
    made.datastore.answered("127.0.0.1:2", None)

    assert (await made.choose(asked())).program is first.program


async def test_a_request_that_nothing_could_take_may_come_again() -> None:
    """A refusal leaves the workflow waiting for the client's next attempt."""
    made = director(ready=False)
    with pytest.raises(NoEndpoints):
        await made.choose(asked())
    made.datastore.answered("127.0.0.1:1", None)

    exchange = await made.choose(asked())

    assert (made.workflows(), exchange.program.stage, exchange.program.in_flight) == (1, 0, 1)


async def test_an_sdk_that_tries_again_says_so() -> None:
    """Its count of attempts makes equal words a retry even while the first attempt is in flight."""
    made = director()
    first = await made.choose(asked())

    assert (await made.choose(asked(x_stainless_retry_count="1"))).program is first.program
    assert (await made.choose(asked(x_stainless_retry_count="0"))).program is not first.program
