"""Everything that Chimera is compared with: baselines, references and Chimera with one part taken out or put in.

Each function makes a setting of one method. Its docstring says whose method it is and how it is tuned: over a grid
that reaches from one end of what the method can do to the other, with about as many settings as Chimera's price gets. A
swept comparison reads each method's whole frontier, so each is seen at its best.
"""

import math
from collections.abc import Mapping
from dataclasses import replace

from chimera_bench.contestants import Background, Contestant, Kind, Setup, Source
from chimera_router.flowcontrol.types import HoldLimits
from chimera_router.scheduling.orders import DEFAULT_AGING_RATE, Arrival, Attained, RemainingFirst, StageFirst
from chimera_router.scheduling.policies import (
    DEFAULT_MIN_GAIN,
    DEFAULT_PRICE,
    DEFAULT_SLACK,
    Fastest,
    LeastLoaded,
    Marginal,
    Random,
    RoundRobin,
    Slack,
    Static,
    Threshold,
    Utility,
)

# Confidence per second: from a point of confidence for 10 s, which buys the best model whatever the load, to prices at
# which nothing but time counts.
PRICES = (0.001, 0.002, 0.004, 0.007, 0.012, 0.02, 0.03, 0.05, 0.08, 0.15, 0.3, 0.6, 1.5, 4.0)

AGING_RATES = (0.0, 5.0, DEFAULT_AGING_RATE, 100.0)


def chimera(_: Background, *, price: float = DEFAULT_PRICE) -> Setup:
    """Chimera as recommended: marginal at its default price, the least work left first, a model for each workflow."""
    return Setup(policy=Marginal(price=price), order=RemainingFirst())


def marginal(background: Background, *, price: float = DEFAULT_PRICE) -> Setup:
    """Chimera's rule at any price: confidence less the price of everybody's seconds.

    Swept: the price, over three decades.
    """
    return chimera(background, price=price)


def aging(_: Background, *, aging_rate: float = DEFAULT_AGING_RATE, price: float = DEFAULT_PRICE) -> Setup:
    """Chimera whose order ages at any rate: the mean that shortest-first gains against the tail that aging gives back.

    Swept: the rate, from none to one at which arrival is all that counts.
    """
    return Setup(policy=Marginal(price=price), order=RemainingFirst(aging_rate))


def round_robin(_: Background) -> Setup:
    """Blind vLLM: models in turn, engines first come, first served. Nothing to tune."""
    return Setup(policy=RoundRobin())


def least_loaded(_: Background) -> Setup:
    """The model with the fewest requests, first come, first served: what a gateway does that looks at queues."""
    return Setup(policy=LeastLoaded())


def always_small(background: Background) -> Setup:
    """Everything to the pool's first model, first come, first served."""
    return Setup(policy=Static(background.pool.models[0]))


def always_large(background: Background) -> Setup:
    """Everything to the pool's last model, first come, first served."""
    return Setup(policy=Static(background.pool.models[-1]))


def random_split(background: Background, *, tilt: float = 0.0) -> Setup:
    """Each workflow by lot, first come, first served, at weights that suit the pool.

    Swept: from weights by capacity, which load every engine alike, towards the model that is right most often:
    capacity · exp(tilt · share of right answers).
    """
    top = max(background.success.values())
    weights = {
        model: background.capacity[model] * math.exp(tilt * (success - top))
        for model, success in background.success.items()
    }
    return Setup(policy=Random(weights=weights))


def mlfq(_: Background, *, quantum: float = 256.0, aging_rate: float = 0.0) -> Setup:
    """Autellix (arXiv 2502.13965): the workflow that has had the least service first, over a blind spread.

    Program-level attained service in a multi-level feedback queue: it predicts nothing. Swept: the service after which
    a workflow leaves the first level, and aging, which stands for the promotion of starving workflows.
    """
    return Setup(policy=RoundRobin(), order=Attained(quantum=quantum, aging_rate=aging_rate))


def ltr(_: Background, *, aging_rate: float = DEFAULT_AGING_RATE) -> Setup:
    """Learning to rank (arXiv 2408.15792): the shortest request first by its predicted length, over a blind spread.

    It orders requests and knows no workflows. Its length comes from the same bundle as Chimera's, which is closer to
    the truth than the ranking model of its authors. Swept: aging, which stands for its guard against starvation.
    """
    return Setup(policy=RoundRobin(), order=StageFirst(aging_rate))


def route_llm(background: Background, *, gain: float = 0.3) -> Setup:
    """RouteLLM (arXiv 2406.18665): the pool's last model where it is confident enough beyond the first; no lengths.

    A router of a weak and a strong model without predictor: it knows neither lengths nor load, and engines are first
    come, first served. Its confidences are Chimera's. Swept: the gain that the strong model must promise.
    """
    small, large = background.pool.models[0], background.pool.models[-1]
    return Setup(policy=Threshold(small=small, large=large, gain_needed=gain))


def router(_: Background, *, cost_price: float = 0.2) -> Setup:
    """A router over all models without predictor: confidence less a price of parameters; no lengths, no load.

    What RouteLLM's rule becomes with more than two models. Engines are first come, first served. Swept: the price, from
    the most confident model to always the smallest.
    """
    return Setup(policy=Utility(latency_price=0.0, cost_price=cost_price), lengths=Source.AVERAGES)


def fastest(_: Background, *, aging_rate: float = DEFAULT_AGING_RATE) -> Setup:
    """The predictor without router: the model of the least estimated latency, the least work left first.

    Lengths and load as Chimera knows them, no confidence. Swept: aging.
    """
    return Setup(policy=Fastest(), order=RemainingFirst(aging_rate))


def slack(_: Background, *, slack: float = DEFAULT_SLACK, min_gain: float = DEFAULT_MIN_GAIN) -> Setup:
    """The paper's rule (arXiv 2603.22206): the most confident of the models nearly as fast as the fastest.

    Everything else as Chimera has it. Swept: the slack, from the fastest model alone to nine times its latency, and the
    least gain.
    """
    return Setup(policy=Slack(slack=slack, min_gain=min_gain), order=RemainingFirst())


def blind_order(_: Background, *, aging_rate: float = DEFAULT_AGING_RATE) -> Setup:
    """Chimera's order alone: the least work left first by predicted lengths, over a blind spread. Swept: aging."""
    return Setup(policy=RoundRobin(), order=RemainingFirst(aging_rate))


def stjf(_: Background, *, aging_rate: float = 0.0) -> Setup:
    """The shortest total job first with true remaining lengths, over a blind spread: what order alone can give.

    Nobody knows them beforehand, so it is a reference for latency and no policy to deploy. Swept: aging.
    """
    return Setup(policy=RoundRobin(), order=RemainingFirst(aging_rate), lengths=Source.TRUTH)


def oracle(_: Background, *, price: float = 0.007) -> Setup:
    """Chimera's rule with true outcomes and true lengths: how far prediction could take it.

    Swept: the price.
    """
    return Setup(policy=Marginal(price=price), order=RemainingFirst(), lengths=Source.TRUTH, confidence=Source.TRUTH)


def true_lengths(_: Background, *, price: float = DEFAULT_PRICE) -> Setup:
    """Chimera as recommended, with true lengths: what better ones could still gain, in order and in latency estimates.

    A reference: nobody knows them beforehand.
    """
    return Setup(policy=Marginal(price=price), order=RemainingFirst(), lengths=Source.TRUTH)


def without_confidence(background: Background, *, price: float = DEFAULT_PRICE) -> Setup:
    """Chimera that knows how often each model is right, but not on which task."""
    return replace(chimera(background, price=price), confidence=Source.AVERAGES)


def without_length(background: Background, *, price: float = DEFAULT_PRICE) -> Setup:
    """Chimera that knows how long each model's answers are by stage, but not to which task."""
    return replace(chimera(background, price=price), lengths=Source.AVERAGES)


def without_aging(background: Background, *, price: float = DEFAULT_PRICE) -> Setup:
    """Chimera whose order never ages: a long workflow waits for all shorter ones."""
    return replace(chimera(background, price=price), order=RemainingFirst(aging_rate=0.0))


def without_order(background: Background, *, price: float = DEFAULT_PRICE) -> Setup:
    """Chimera over engines that serve first come, first served."""
    return replace(chimera(background, price=price), order=Arrival())


def without_reuse(background: Background, *, price: float = DEFAULT_PRICE) -> Setup:
    """Chimera that chooses the model of every stage anew, for any gain."""
    return replace(chimera(background, price=price), restage=0.0)


def without_delay(background: Background, *, price: float = DEFAULT_PRICE) -> Setup:
    """Chimera that pays for its own seconds at the same price, and not for those that others lose."""
    return replace(chimera(background, price=price), policy=Utility(latency_price=price, cost_price=0.0))


def held(background: Background, *, price: float = DEFAULT_PRICE) -> Setup:
    """Chimera with flow control: requests wait in the picker while the engines of their model are full.

    A part put in rather than taken out, since it is off by default. Swept: the price, as Chimera's.
    """
    return replace(chimera(background, price=price), flow_control=HoldLimits())


_CONTESTANTS = (
    Contestant(kind=Kind.CHIMERA, build=chimera),
    Contestant(kind=Kind.CHIMERA, build=marginal, grid={"price": PRICES}),
    Contestant(
        kind=Kind.CHIMERA, build=aging, grid={"aging_rate": (0.0, 1.0, 2.0, 5.0, 10.0, DEFAULT_AGING_RATE, 50.0, 200.0)}
    ),
    Contestant(kind=Kind.BASELINE, build=round_robin),
    Contestant(kind=Kind.BASELINE, build=least_loaded),
    Contestant(kind=Kind.BASELINE, build=always_small),
    Contestant(kind=Kind.BASELINE, build=always_large),
    Contestant(kind=Kind.BASELINE, build=random_split, grid={"tilt": (0.0, 2.0, 4.0, 7.0, 10.0, 15.0, 25.0, 50.0)}),
    Contestant(
        kind=Kind.BASELINE,
        build=mlfq,
        grid={"quantum": (64.0, 128.0, 256.0, 512.0), "aging_rate": (0.0, DEFAULT_AGING_RATE)},
    ),
    Contestant(kind=Kind.BASELINE, build=ltr, grid={"aging_rate": AGING_RATES}),
    Contestant(kind=Kind.BASELINE, build=route_llm, grid={"gain": (-0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)}),
    Contestant(
        kind=Kind.BASELINE, build=router, grid={"cost_price": (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0, 2.0)}
    ),
    Contestant(kind=Kind.BASELINE, build=blind_order, grid={"aging_rate": AGING_RATES}),
    Contestant(kind=Kind.BASELINE, build=fastest, grid={"aging_rate": AGING_RATES}),
    Contestant(
        kind=Kind.BASELINE,
        build=slack,
        grid={"slack": (0.0, 0.25, 0.5, 1.0, DEFAULT_SLACK, 2.5, 4.0, 8.0), "min_gain": (0.0, 0.02, DEFAULT_MIN_GAIN)},
    ),
    Contestant(kind=Kind.REFERENCE, build=stjf, grid={"aging_rate": AGING_RATES}),
    Contestant(kind=Kind.REFERENCE, build=true_lengths),
    Contestant(kind=Kind.REFERENCE, build=oracle, grid={"price": (0.001, 0.004, 0.012, 0.03, 0.08, 0.3, 1.5)}),
    Contestant(kind=Kind.ABLATION, build=without_confidence),
    Contestant(kind=Kind.ABLATION, build=without_length),
    Contestant(kind=Kind.ABLATION, build=without_aging),
    Contestant(kind=Kind.ABLATION, build=without_order),
    Contestant(kind=Kind.ABLATION, build=without_reuse),
    Contestant(kind=Kind.ABLATION, build=without_delay),
    Contestant(kind=Kind.ABLATION, build=held, grid={"price": PRICES}),
)

CATALOGUE: Mapping[str, Contestant] = {contestant.name: contestant for contestant in _CONTESTANTS}
"""Every contestant by name, Chimera first."""


def names(*kinds: Kind) -> list[str]:
    """Return the names of all contestants of some kinds."""
    return [name for name, contestant in CATALOGUE.items() if contestant.kind in kinds]
