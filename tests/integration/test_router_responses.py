"""The Responses API through the real Envoy, the picker and simulated engines, with the official client."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import openai
import pytest
from directors import FakePredictor, director
from engines import ANSWER_TOKENS, engine
from envoys import served
from pools import prediction

from chimera_router import wire
from chimera_router.director import Director

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]


@dataclass
class Stack:
    director: Director
    predictor: FakePredictor
    client: openai.AsyncOpenAI

    def prefer(self, name: str) -> None:
        sure = {other: prediction(0.9 if other == name else 0.1) for other in ("small", "large")}
        self.predictor.by_model = sure


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with AsyncExitStack() as whole:
        addresses = {name: await whole.enter_async_context(engine(name)) for name in ("small", "large")}
        predictor = FakePredictor(small=prediction(0.4), large=prediction(0.9))
        made = director(predictor, **addresses)
        url = await whole.enter_async_context(served(made, tmp_path_factory.mktemp("envoy")))
        client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0)
        yield Stack(made, predictor, await whole.enter_async_context(client))


async def test_a_response_is_answered_by_the_chosen_model(stack: Stack) -> None:
    """The official client reads text, usage and status; the answer names the model."""
    stack.prefer("large")
    raw = await stack.client.responses.with_raw_response.create(model="auto", input="whole", instructions="be brief")

    response = raw.parse()
    assert response.usage is not None
    assert (response.status, response.usage.output_tokens) == ("completed", ANSWER_TOKENS)
    assert len(response.output_text.split()) == ANSWER_TOKENS
    assert raw.headers[wire.MODEL] == "large"


async def test_a_response_streams(stack: Stack) -> None:
    """Deltas make up the text of the final response, which carries the usage."""
    async with stack.client.responses.stream(model="auto", input="streamed") as stream:
        deltas = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        final = await stream.get_final_response()

    assert final.usage is not None
    assert ("".join(deltas), final.usage.output_tokens) == (final.output_text, ANSWER_TOKENS)


async def test_usage_of_a_response_is_accounted_for(stack: Stack) -> None:
    """What the engine counted reaches the workflow."""
    raw = await stack.client.responses.with_raw_response.create(model="auto", input="counted")

    program = stack.director.table._store.get("", raw.headers[wire.WORKFLOW_ID])
    assert program is not None
    assert program.tokens == ANSWER_TOKENS


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_chain_of_responses_stays_where_it_is_kept(stack: Stack, *, streamed: bool) -> None:
    """The next request finds its workflow and its engine, though another model is preferred by then."""
    stack.prefer("small")
    first = await stack.client.responses.with_raw_response.create(model="auto", input=f"chain {streamed}")
    response = first.parse()
    stack.prefer("large")

    for _ in range(3):
        if streamed:
            async with stack.client.responses.stream(
                model="auto", input="go on", previous_response_id=response.id
            ) as stream:
                response = await stream.get_final_response()  # type: ignore[assignment]
        else:
            raw = await stack.client.responses.with_raw_response.create(
                model="auto", input="go on", previous_response_id=response.id
            )
            assert raw.headers[wire.WORKFLOW_ID] == first.headers[wire.WORKFLOW_ID]
            response = raw.parse()
        assert response.model == "small"

    program = stack.director.table._store.get("", first.headers[wire.WORKFLOW_ID])
    assert program is not None
    assert program.stage == 3


async def test_a_conversation_sent_whole_is_one_workflow(stack: Stack) -> None:
    """Without a previous response the output items that a client sends again tell the workflow."""
    first = await stack.client.responses.with_raw_response.create(model="auto", input="items")
    output = [item.model_dump() for item in first.parse().output]

    items = [{"role": "user", "content": "items"}, *output, {"role": "user", "content": "go on"}]
    second = await stack.client.responses.with_raw_response.create(model="auto", input=items)  # type: ignore[arg-type]

    assert second.headers[wire.WORKFLOW_ID] == first.headers[wire.WORKFLOW_ID]


async def test_another_tenants_response_is_not_found(stack: Stack) -> None:
    """Nobody goes on from what was said to somebody else."""
    response = await stack.client.responses.create(model="auto", input="mine", extra_headers={wire.TENANT: "a"})

    with pytest.raises(openai.BadRequestError) as refused:
        await stack.client.responses.create(
            model="auto", input="go on", previous_response_id=response.id, extra_headers={wire.TENANT: "b"}
        )

    assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"input": []}, "input"), ({"background": True}, "background"), ({"max_output_tokens": -1}, "max_output_tokens")],
)
async def test_refusals_have_openais_shape(stack: Stack, fields: dict[str, object], param: str) -> None:
    """The client library raises its own error, which names the field."""
    body = {"model": "auto", "input": "x", **fields}

    with pytest.raises(openai.BadRequestError) as refused:
        await stack.client.post("/responses", body=body, cast_to=object)

    assert refused.value.param == param
