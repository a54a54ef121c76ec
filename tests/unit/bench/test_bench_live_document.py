"""From a serving pool and a setting to the document of a pool that runs on one machine."""

from dataclasses import replace
from pathlib import Path

import pytest
from bench_grounds import BACKGROUND, LARGE, POOL, SMALL
from bench_serving import serving_pool
from google.protobuf.json_format import ParseDict

from chimera_bench.baselines import CATALOGUE, names
from chimera_bench.contestants import Contestant, Kind
from chimera_bench.live.document import NotLiveError, document, labels
from chimera_bench.pools import coefficients
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.api.routing import Routing
from chimera_operator.local.documents import with_routing
from chimera_operator.rendering.router_config import router_config
from chimera_proto.config.v1alpha1.router_config_pb2 import RouterConfig
from chimera_router.flowcontrol.types import HoldLimits
from chimera_router.scheduler_settings import scheduler
from chimera_router.scheduling.types import Model

BUNDLE = Path("/bundles/best")

# `router` foresees average lengths; all others what the bundle says.
DEPLOYABLE = [name for name in names(Kind.CHIMERA, Kind.BASELINE) if name != "router"]


def made(policy: str, **params: float) -> HeterogeneousModelPool:
    return document(POOL, CATALOGUE[policy].build(BACKGROUND, **params), bundle=BUNDLE)


def routing(policy: str, **params: float) -> Routing:
    return made(policy, **params).spec.routing


def test_engines_are_those_of_the_pool() -> None:
    """Step times, slots and KV space survive; each model is recorded under its own name."""
    pool = replace(serving_pool("Big_70B.chat", "small", small=SMALL), endpoints=3)
    found = document(pool, CATALOGUE["round-robin"].build(replace(BACKGROUND, pool=pool)), bundle=BUNDLE)

    assert coefficients(found) == {
        "big-70b-chat": pytest.approx(pool.coefficients["Big_70B.chat"]),
        "small": pytest.approx(SMALL),
    }
    assert [model.descriptor.trained_as for model in found.spec.models] == ["Big_70B.chat", "small"]
    assert [model.descriptor.parameters_b for model in found.spec.models] == [1.0, 10.0]
    assert [model.scaling.replicas for model in found.spec.models] == [3, 3]


@pytest.mark.parametrize("policy", DEPLOYABLE)
def test_the_picker_gets_the_scheduler_that_virtual_time_has(policy: str) -> None:
    """Through document and RouterConfig: the same policy, the same order, the same restaging."""
    setup = CATALOGUE[policy].build(BACKGROUND)
    config = ParseDict(router_config(made(policy), discovery={}), RouterConfig())
    models = {name: Model(name=name, coefficients=engine) for name, engine in POOL.coefficients.items()}

    found = scheduler(config.routing, models)

    assert found == setup.scheduler
    assert {model.engine.priority_scheduling for model in made(policy).spec.models} == {
        setup.queueing.value == "priority"
    }


def test_parameters_are_those_of_the_cell() -> None:
    """Not the policy's defaults."""
    assert routing("chimera", price=0.5).price == 0.5
    assert routing("aging", aging_rate=3.0).aging_rate == 3.0
    assert routing("slack", slack=0.25, min_gain=0.1).slack == 0.25
    assert routing("without-reuse").restage_margin == 0.0


def test_the_bundle_is_the_one_that_predicts_in_virtual_time() -> None:
    """By its whole path: the picker runs elsewhere."""
    assert routing("chimera").bundle.path == str(BUNDLE)


@pytest.mark.parametrize(
    "contestant", [CATALOGUE[name] for name in (*names(Kind.REFERENCE), "router")], ids=lambda each: each.name
)
def test_nobody_live_knows_what_no_picker_does(contestant: Contestant) -> None:
    """True lengths and outcomes, or averages in the place of predictions."""
    with pytest.raises(NotLiveError, match="foresees"):
        document(POOL, contestant.build(BACKGROUND), bundle=BUNDLE)


def test_levels_that_documents_cannot_say_are_refused() -> None:
    """The router has its own quantum."""
    with pytest.raises(NotLiveError, match="levels"):
        made("mlfq", quantum=64.0)


def test_requests_wait_in_the_picker_where_the_setting_says_so() -> None:
    """With the router's own caps, and no others."""
    held = CATALOGUE["held"].build(BACKGROUND)

    assert routing("held").flow_control.enabled
    assert not routing("chimera").flow_control.enabled
    with pytest.raises(NotLiveError, match="caps"):
        document(POOL, replace(held, flow_control=HoldLimits(max_requests=1)), bundle=BUNDLE)


def test_engines_without_prefix_caching_are_told_so() -> None:
    """With vLLM's own flag, which the simulator obeys too."""
    pool = replace(POOL, prefix_caching=False)
    bare = document(pool, CATALOGUE["chimera"].build(BACKGROUND), bundle=BUNDLE)

    assert {model.engine.args for model in bare.spec.models} == {("--no-enable-prefix-caching",)}
    assert {model.engine.args for model in made("chimera").spec.models} == {()}


def test_names_that_become_one_are_refused() -> None:
    """Documents take small letters, digits and - only."""
    with pytest.raises(NotLiveError, match="pool small: two of its models"):
        labels(serving_pool("A.1", "a-1"))


def test_the_document_is_one_that_people_could_write() -> None:
    """It can be read again and changed as any other."""
    assert with_routing(made("chimera"), {"policy": "Fastest"}).spec.routing.policy == "Fastest"
    assert made("chimera").metadata.name == "bench-two"
    assert coefficients(made("chimera"))["large"] == pytest.approx(LARGE)
