"""From a serving pool and what is played on it to the document of a pool that runs on one machine."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chimera_bench.contestants import Setup, Source
from chimera_bench.engine.types import SchedulingPolicy
from chimera_bench.serving import ServingPool
from chimera_operator.api.parse import parse_pool
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering.engine import NO_PREFIX_CACHING
from chimera_router.flowcontrol.types import HoldLimits
from chimera_router.scheduling.orders import Arrival, Attained, Order, RemainingFirst, StageFirst
from chimera_router.scheduling.policies import (
    Fastest,
    LeastLoaded,
    Marginal,
    Policy,
    Random,
    RoundRobin,
    Slack,
    Static,
    Threshold,
    Utility,
)

_BARE: Mapping[type[Policy], str] = {RoundRobin: "RoundRobin", LeastLoaded: "LeastLoaded", Fastest: "Fastest"}


class NotLiveError(Exception):
    """A setting that no picker can be given; one sentence that says why."""


def labels(pool: ServingPool) -> dict[str, str]:
    """Return the name that each model is served by, by its name in the recorded data.

    Raises:
        NotLiveError: Two models would have the same.
    """
    found = {name: _label(name) for name in pool.models}
    if len(set(found.values())) < len(found):
        raise NotLiveError(f"pool {pool.name}: two of its models have the same name in small letters, digits and -")
    return found


def document(pool: ServingPool, setup: Setup, *, bundle: Path) -> HeterogeneousModelPool:
    """Return the document of a pool whose picker does as the setting says.

    Args:
        pool: Models and engines.
        setup: Policy and order.
        bundle: Folder of what predicts.

    Raises:
        NotLiveError: The setting knows what no picker does, or has a number that documents do not.
        PoolError: The pool breaks a rule of documents, such as their largest number of models.
    """
    if {setup.lengths, setup.confidence} != {Source.BUNDLE}:
        raise NotLiveError("it foresees other than by a bundle, and no picker does")
    return parse_pool(
        {
            "apiVersion": "chimera.dev/v1alpha1",
            "kind": "HeterogeneousModelPool",
            "metadata": {"name": f"bench-{_label(pool.name)}"[:40].rstrip("-")},
            "spec": {
                "models": [_model(pool, name, label, setup.queueing) for name, label in labels(pool).items()],
                "routing": {
                    **_policy(setup.policy, labels(pool)),
                    **_order(setup.order),
                    **_restaging(setup.restage),
                    **_flow_control(setup.flow_control),
                    "bundle": {"path": str(bundle.absolute())},
                },
            },
        }
    )


def _label(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].rstrip("-")


def _model(pool: ServingPool, name: str, label: str, queueing: SchedulingPolicy) -> dict[str, Any]:
    engine = pool.coefficients[name]
    return {
        "name": label,
        "scaling": {"replicas": pool.endpoints},
        "descriptor": {"trainedAs": name, "parametersB": pool.params_b[name]},
        "engine": {
            "maxNumSeqs": engine.max_num_seqs,
            "kvTokens": engine.kv_tokens,
            "priorityScheduling": queueing is SchedulingPolicy.PRIORITY,
            "args": [] if pool.prefix_caching else [NO_PREFIX_CACHING],
        },
        "coefficients": {
            "baseStepMs": engine.base_step * 1e3,
            "stepPerSequenceUs": engine.per_sequence * 1e6,
            "prefillUsPerToken": engine.prefill_per_token * 1e6,
        },
    }


def _policy(policy: Policy, label: Mapping[str, str]) -> dict[str, Any]:
    match policy:
        case Marginal(price=price):
            return {"policy": "Marginal", "price": price}
        case Slack(slack=slack, min_gain=min_gain):
            return {"policy": "Slack", "slack": slack, "minGain": min_gain}
        case Utility(latency_price=latency, cost_price=cost):
            return {"policy": "Utility", "latencyPrice": latency, "costPrice": cost}
        case _:
            return _baseline(policy, label)


def _baseline(policy: Policy, label: Mapping[str, str]) -> dict[str, Any]:
    match policy:
        case Static(model=model):
            return {"policy": "Static", "staticModel": label[model]}
        case Random(weights=weights):
            return {"policy": "Random", "weights": {label[model]: weight for model, weight in weights.items()}}
        case Threshold(small=small, large=large, gain_needed=gain):
            ends = {"smallModel": label[small], "largeModel": label[large]}
            return {"policy": "Threshold", "gainNeeded": gain, **ends}
        case _:
            return {"policy": _BARE[type(policy)]}


def _order(order: Order) -> dict[str, Any]:
    match order:
        case RemainingFirst(aging_rate=rate):
            return {"order": "RemainingFirst", "agingRate": rate}
        case StageFirst(aging_rate=rate):
            return {"order": "StageFirst", "agingRate": rate}
        case Attained() if order == Attained():
            return {"order": "Attained"}
        case Arrival():
            return {"order": "Arrival"}
        case _:
            raise NotLiveError("its levels or their aging are not the router's own, and documents cannot say others")


def _restaging(margin: float | None) -> dict[str, Any]:
    return {} if margin is None else {"restage": True, "restageMargin": margin}


def _flow_control(limits: HoldLimits | None) -> dict[str, Any]:
    if limits is None:
        return {}
    if limits != HoldLimits():
        raise NotLiveError("its hold queue has other caps than the router's own")
    return {"flowControl": {"enabled": True}}
