"""Records with figures that can be followed."""

from collections.abc import Mapping
from typing import Any

from chimera_bench.records import Record


def a_record(
    policy: str = "chimera",
    *,
    latency: float = 10.0,
    score: float = 0.5,
    seed: int = 0,
    params: Mapping[str, float] | None = None,
    **others: Any,
) -> Record:
    fields: dict[str, Any] = {
        "workload": "workflow_traces/poisson",
        "pool": "two",
        "load": 0.85,
        "workflows": 100,
        "latency_p50": latency,
        "latency_p95": 2 * latency,
        "latency_p99": 3 * latency,
        "latency_per_token": latency / 100,
        "share": {"small": 0.25, "large": 0.75},
        "cost": 0.6,
        "rejected": 0,
    }
    return Record(
        policy=policy, latency_mean=latency, score=score, seed=seed, params=params or {}, **{**fields, **others}
    )
