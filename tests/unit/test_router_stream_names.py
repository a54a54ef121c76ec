"""Names that lead to a model, and paths that lead to the pool: adapters and prefixes."""

import json

import pytest

from chimera_router import wire
from chimera_router.errors import ConfigError
from chimera_router.protocol.catalog import Catalog
from chimera_router.protocol.events import (
    Action,
    Choose,
    RequestBody,
    RequestHeaders,
    Route,
    SendImmediate,
    SendRequestBody,
)
from chimera_router.protocol.rules import Rules
from chimera_router.protocol.stream import StreamMachine
from chimera_router.scheduling.types import Coefficients, Model

COEFFICIENTS = Coefficients(base_step=0.01, per_sequence=0.0, prefill_per_token=0.0, max_num_seqs=1, kv_tokens=1000)
MODELS = (
    Model(name="small", aliases=("s",), adapters=("tickets",), coefficients=COEFFICIENTS),
    Model(name="large", coefficients=COEFFICIENTS),
)
CATALOG = Catalog.of("assistants", MODELS)


def asked(path: str, *, model: str = "auto", prefix: str = "", **headers: str) -> tuple[StreamMachine, list[Action]]:
    machine = StreamMachine(Rules(catalog=CATALOG, prefix=prefix))
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]}).encode()
    begun = machine.feed(RequestHeaders(headers={":path": path, ":method": "POST", **headers}))
    return machine, begun or machine.feed(RequestBody(body, end_of_stream=True))


def sent_model(**told: str) -> str:
    """Return the name that the engine of `small` is asked for."""
    machine, (choose,) = asked("/v1/chat/completions", **told)
    assert isinstance(choose, Choose)
    assert choose.pinned == "small"
    _, body = machine.route(Route(destination="10.0.0.1:8000", model="engine-small"))
    assert isinstance(body, SendRequestBody)
    return str(json.loads(body.data)["model"])


def test_adapter_pins_its_model_and_keeps_its_name() -> None:
    """The engine knows it by the name that the client wrote; every other name it would not know."""
    assert sent_model(model="tickets") == "tickets"
    assert sent_model(model="s") == sent_model(model="small") == "engine-small"


def test_adapter_may_be_asked_for_by_a_gateways_header() -> None:
    """Then the body's name counts for nothing."""
    assert sent_model(model="large", **{wire.MODEL_REWRITES[0]: "tickets"}) == "tickets"


def test_adapters_are_listed_after_the_models() -> None:
    """Clients find what they may ask for; an alias is no model of its own, an adapter is."""
    assert [each["id"] for each in json.loads(CATALOG.listing())["data"]] == ["assistants", "small", "large", "tickets"]
    assert [json.loads(CATALOG.entry(name))["id"] for name in ("tickets", "s")] == ["tickets", "small"]


def test_adapter_needs_a_name_of_its_own() -> None:
    """Two things under one name could not be told apart."""
    twin = Model(name="tickets", coefficients=COEFFICIENTS)

    with pytest.raises(ConfigError, match="stands for two things"):
        Catalog.of("assistants", (*MODELS, twin))


@pytest.mark.parametrize("path", ["/team/llm/v1/chat/completions?a=/", "/v1/chat/completions"])
def test_prefix_may_be_there_or_not(path: str) -> None:
    """Some gateways take it off before they ask the picker, others after."""
    _, (choose,) = asked(path, prefix="/team/llm")

    assert isinstance(choose, Choose)


@pytest.mark.parametrize("path", ["/team/llmv1/chat/completions", "/team/v1/chat/completions", "/team/llm"])
def test_what_only_begins_like_the_prefix_is_another_path(path: str) -> None:
    """It is taken off as whole parts of a path, or not at all."""
    _, (refused,) = asked(path, prefix="/team/llm")

    assert isinstance(refused, SendImmediate)
    assert refused.status == 404


def test_models_are_listed_below_the_prefix() -> None:
    """The prefix is taken off the path of every call."""
    machine = StreamMachine(Rules(catalog=CATALOG, prefix="/llm"))
    headers = {":path": "/llm/v1/models/small", ":method": "GET"}

    (answer,) = machine.feed(RequestHeaders(headers=headers, end_of_stream=True))

    assert isinstance(answer, SendImmediate)
    assert json.loads(answer.body)["id"] == "small"
