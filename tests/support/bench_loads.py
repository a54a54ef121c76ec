"""Measurements with figures that can be followed."""

from typing import Any

from chimera_bench.load.measurement import Measurement


def a_measurement(
    picker: str = "native-observe", *, p50: float = 0.010, cost: float = 100.0, **others: Any
) -> Measurement:
    """Return one; latencies at p95 and p99 are twice and thrice the median."""
    fields: dict[str, Any] = {
        "case": "json1k",
        "mode": "r100",
        "round": 0,
        "requests": 200,
        "failed": 0,
        "rate": 100.0,
        "first": (p50 / 2, p50, p50),
        "envoy_us": 200.0,
        "resident": 150_000_000,
        "driver_cores": 0.1,
        "other_cores": 0.5,
    }
    return Measurement(picker=picker, latency=(p50, 2 * p50, 3 * p50), picker_us=cost, **{**fields, **others})
