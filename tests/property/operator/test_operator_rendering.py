"""What holds for every pool: it parses to itself, and rendering loses nothing."""

import copy
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from pool_documents import pool_document

from chimera_operator.api.errors import PoolError
from chimera_operator.api.parse import parse_pool, with_defaults
from chimera_operator.local.plan import Ports, Site, local_plan, replica_count
from chimera_operator.rendering.coefficients import PROFILES, StepTime
from chimera_operator.rendering.router_config import router_config, step_times
from chimera_proto.config.v1alpha1.router_config_pb2 import RouterConfig

names = st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z0-9]", fullmatch=True).filter(lambda name: name not in {"auto", "pool"})
shares = st.floats(0, 1)
speeds = st.floats(0.01, 1000)
positive = st.floats(0.001, 60_000)
step_time_fields = {"base_step_ms": positive, "step_per_sequence_us": positive, "prefill_us_per_token": positive}
counts = {"max_num_seqs": st.integers(1, 1024), "kv_tokens": st.integers(1, 2**31 - 1)}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def measured(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the parts of a model whose step time is given."""
    coefficients = {
        "baseStepMs": draw(positive),
        "stepPerSequenceUs": draw(positive),
        "prefillUsPerToken": draw(positive),
    }
    engine = {"kvTokens": draw(counts["kv_tokens"]), "maxNumSeqs": draw(counts["max_num_seqs"])}
    return {"coefficients": coefficients, "engine": {**engine, "priorityScheduling": draw(st.booleans())}}


@st.composite
def estimated(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the parts of a model whose step time is estimated and whose weights fit."""
    tensor = draw(st.sampled_from([1, 2, 4, 8]))
    return {
        "accelerators": [{"class": draw(st.sampled_from(sorted(PROFILES))), "count": tensor}],
        "parallelism": {"tensor": tensor},
        "descriptor": {"parametersB": draw(st.floats(0.1, 20.0 * tensor)), "generalScore": draw(shares)},
    }


@st.composite
def pools(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a valid pool document."""
    taken = draw(st.lists(names, min_size=2, max_size=8, unique=True))
    members = draw(st.integers(1, len(taken)))
    models = [{"name": name, **draw(measured() | estimated())} for name in taken[:members]]
    models[0]["aliases"] = taken[members:]
    for model in models:
        model["scaling"] = {"replicas": draw(st.integers(1, 3))}
    policies = ["Slack", "Marginal", "RoundRobin", "LeastLoaded", "Fastest", "Static", "Random", "Threshold"]
    routing = {
        "policy": draw(st.sampled_from(policies)),
        "staticModel": taken[0],
        "weights": {taken[0]: 1.0},
        "gainNeeded": draw(shares),
        "price": draw(shares),
        "agingRate": draw(st.floats(0, 1000)),
        "slack": draw(shares),
    }
    return pool_document(*models, routing=routing, defaults={"engine": {"maxNumSeqs": 32}})


@given(document=pools(), speed=speeds)
def test_any_valid_pool_renders_a_router_config_that_the_proto_accepts(document: dict[str, Any], speed: float) -> None:
    """The picker's reader takes it, and finds every model, alias and number."""
    pool = parse_pool(document)

    config = json_format.ParseDict(router_config(pool, discovery={}, speed=speed), RouterConfig())

    assert [(model.name, list(model.aliases)) for model in config.models] == [
        (model["name"], model.get("aliases", [])) for model in document["spec"]["models"]
    ]
    assert all(model.coefficients.base_step_ms > 0 < model.coefficients.kv_tokens for model in config.models)
    assert config.routing.aging_rate == document["spec"]["routing"]["agingRate"] * speed


@given(document=pools())
def test_no_replica_is_lost_on_one_machine(document: dict[str, Any]) -> None:
    """Every replica has one engine, one endpoint and one port of its own."""
    pool = parse_pool(document)
    engines = tuple(range(5, 5 + replica_count(pool)))
    ports = Ports(gateway=1, picker=2, management=3, feedback=4, engines=engines)
    site = Site(folder=Path("/run"), ports=ports, python="python", envoy="envoy", vllm="vllm")

    plan = local_plan(pool, site=site, speed=1.0, engine="simulator")

    endpoints = plan.files["endpoints.json"]["endpoints"]
    asked = {model["name"]: model["scaling"]["replicas"] for model in document["spec"]["models"]}
    served = [endpoint["model"] for endpoint in endpoints]
    assert {name: served.count(name) for name in served} == asked
    assert len({endpoint["address"] for endpoint in endpoints}) == len(endpoints) == len(plan.engines)


@given(time=st.builds(StepTime, **step_time_fields, **counts), speed=speeds, again=speeds)
def test_speed_scales_every_time_linearly(time: StepTime, speed: float, again: float) -> None:
    """Twice after one another is the product, and sizes stay."""
    once, twice = time.faster(speed * again), time.faster(speed).faster(again)

    for field in step_time_fields:
        assert abs(getattr(once, field) - getattr(twice, field)) <= 1e-9 * getattr(once, field)
        assert abs(getattr(once, field) * speed * again - getattr(time, field)) <= 1e-9 * getattr(time, field)
    assert (once.max_num_seqs, once.kv_tokens) == (time.max_num_seqs, time.kv_tokens)


@given(parameters=st.floats(0.1, 30), more=st.floats(1.01, 2), cards=st.sampled_from(sorted(PROFILES)))
def test_a_larger_model_is_never_estimated_quicker(parameters: float, more: float, cards: str) -> None:
    """Steps and prefill grow with the parameters, the cache shrinks."""
    accelerators = [{"class": cards, "count": 2}]
    rest = {"accelerators": accelerators, "parallelism": {"tensor": 2}}
    small = {"name": "small", **rest, "descriptor": {"parametersB": parameters}}
    large = {"name": "large", **rest, "descriptor": {"parametersB": min(parameters * more, 40)}}

    times = step_times(parse_pool(pool_document(small, large)))

    assert times["small"].base_step_ms <= times["large"].base_step_ms
    assert times["small"].prefill_us_per_token <= times["large"].prefill_us_per_token
    assert times["small"].kv_tokens >= times["large"].kv_tokens


@given(document=pools())
def test_a_pool_parses_to_itself(document: dict[str, Any]) -> None:
    """Written out and read again it is the same pool, and merging defaults twice is merging them once."""
    pool = parse_pool(document)

    assert parse_pool(pool.model_dump(mode="json", by_alias=True, exclude_none=True)) == pool
    assert with_defaults(with_defaults(document)) == with_defaults(document)


@given(data=st.data(), value=json_values)
def test_no_document_brings_anything_but_a_pool_or_one_line(data: st.DataObject, value: Any) -> None:
    """Whatever is put anywhere into a document, the answer is a pool or a PoolError of one line."""
    document = copy.deepcopy(data.draw(pools()))
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not (isinstance(place[key], dict | list) and place[key]) or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = value

    try:
        parse_pool(document)
    except PoolError as error:
        line = str(error)
    else:
        line = ""

    assert len(line.splitlines()) == bool(line)
