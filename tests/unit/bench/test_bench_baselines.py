"""The catalogue of what Chimera is compared with."""

from dataclasses import fields
from inspect import getdoc

import pytest
from bench_grounds import BACKGROUND

from chimera_bench.baselines import CATALOGUE, names
from chimera_bench.contestants import Contestant, Kind, Setup, Source
from chimera_bench.engine.types import SchedulingPolicy
from chimera_router.scheduling.orders import Arrival
from chimera_router.scheduling.policies import Marginal, Random, Static, Threshold

CONTESTANTS = pytest.mark.parametrize("contestant", [pytest.param(each, id=name) for name, each in CATALOGUE.items()])


def setup(name: str, **params: float) -> Setup:
    return CATALOGUE[name].build(BACKGROUND, **params)


@CONTESTANTS
def test_every_setting_of_a_sweep_can_be_played(contestant: Contestant) -> None:
    """Each makes a scheduler, and no two settings are equal."""
    settings = contestant.settings(swept=True)

    assert all(contestant.build(BACKGROUND, **params).scheduler for params in settings)
    assert len({tuple(params.items()) for params in settings}) == len(settings)


@CONTESTANTS
def test_the_first_setting_is_its_own_choice(contestant: Contestant) -> None:
    """Without a sweep there is no other; what is played says all its parameters."""
    assert contestant.settings(swept=False) == [contestant.defaults]
    assert contestant.settings(swept=True)[0] == contestant.defaults
    assert all(params.keys() == contestant.defaults.keys() for params in contestant.settings(swept=True))


@CONTESTANTS
def test_each_says_what_it_is_and_how_it_is_tuned(contestant: Contestant) -> None:
    """A grid is explained where it is."""
    assert contestant.summary.endswith((".", "lengths.", "spread."))
    assert ("Swept:" in (getdoc(contestant.build) or "")) == bool(contestant.grid)
    assert contestant.grid.keys() <= contestant.defaults.keys()


@CONTESTANTS
def test_only_references_know_the_truth(contestant: Contestant) -> None:
    """What could not be deployed is called so."""
    made = contestant.build(BACKGROUND)

    assert (Source.TRUTH in {made.lengths, made.confidence}) == (contestant.kind is Kind.REFERENCE)


def test_all_of_the_design_is_there() -> None:
    """Chimera first, then what it is measured against."""
    assert list(CATALOGUE)[:2] == ["chimera", "marginal"]
    assert set(names(Kind.BASELINE)) == {
        *("round-robin", "least-loaded", "always-small", "always-large", "random-split"),
        *("mlfq", "ltr", "route-llm", "router", "fastest", "slack"),
    }
    assert set(names(Kind.REFERENCE)) == {"stjf", "true-lengths", "oracle"}
    assert {"without-confidence", "without-length", "without-aging", "without-reuse", "without-delay", "held"} <= set(
        names(Kind.ABLATION)
    )


@pytest.mark.parametrize("name", names(Kind.ABLATION))
def test_an_ablation_is_chimera_but_for_one_part(name: str) -> None:
    """All else is equal, at any price."""
    made, whole = setup(name, price=0.05), setup("chimera", price=0.05)

    different = [each.name for each in fields(Setup) if getattr(made, each.name) != getattr(whole, each.name)]

    assert len(different) == 1


@pytest.mark.parametrize("name", CATALOGUE)
def test_engines_order_their_queues_only_where_ranks_are_sent(name: str) -> None:
    """A baseline that sends none meets engines that are first come, first served."""
    made = setup(name)

    assert (made.queueing is SchedulingPolicy.FCFS) == isinstance(made.order, Arrival)


@pytest.mark.parametrize("name", ["round-robin", "least-loaded", "random-split", "route-llm", "router"])
def test_methods_without_predictor_are_first_come_first_served(name: str) -> None:
    """They know no lengths to order by."""
    assert setup(name).queueing is SchedulingPolicy.FCFS


@pytest.mark.parametrize("name", ["round-robin", "mlfq", "ltr", "stjf"])
def test_orders_are_compared_over_the_same_blind_spread(name: str) -> None:
    """What an order alone is worth."""
    assert setup(name).policy == setup("round-robin").policy


def test_the_swept_rule_is_chimera_at_its_price() -> None:
    """Chimera's setting is a point of its own frontier."""
    assert setup("chimera") == setup("marginal")
    assert setup("marginal", price=0.2).policy == Marginal(price=0.2)


def test_the_ends_of_the_pool_are_small_and_large() -> None:
    """Its models come from small to large."""
    assert setup("always-small").policy == Static("small")
    assert setup("always-large").policy == Static("large")
    assert setup("route-llm", gain=0.5).policy == Threshold(small="small", large="large", gain_needed=0.5)


def test_the_router_without_predictor_knows_only_average_lengths() -> None:
    """Its confidences are the bundle's."""
    made = setup("router")

    assert (made.lengths, made.confidence) == (Source.AVERAGES, Source.BUNDLE)


def test_a_random_split_tilts_from_capacity_to_the_best_model() -> None:
    """At no tilt it loads engines alike; at much tilt it sends all to whoever is right most often."""
    level, steep = setup("random-split", tilt=0.0).policy, setup("random-split", tilt=50.0).policy

    assert isinstance(level, Random)
    assert isinstance(steep, Random)
    assert level.weights == pytest.approx({"small": 4.0, "large": 1.0})
    assert steep.weights["large"] > 1e6 * steep.weights["small"]
