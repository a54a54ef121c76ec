"""What deciding costs in a large pool."""

import json
import time

from chimera_bench import scheduling_cost


def test_every_part_is_timed_as_often_as_asked() -> None:
    """Each part has a time for every round."""
    measured = scheduling_cost.measure(3)

    assert len(measured) == 6
    assert all(len(seconds) == 3 and min(seconds) > 0 for seconds in measured.values())


def test_a_decision_among_many_endpoints_costs_some_dozens_of_small_bodies() -> None:
    """A decision over a hundred endpoints does not look at single requests: it stays within its budget as a ratio."""
    body = json.dumps({"messages": [{"role": "user", "content": "word " * 200}]})
    measured = scheduling_cost.measure(20)

    def once() -> float:
        started = time.perf_counter()
        json.loads(body)
        return time.perf_counter() - started

    baseline = min(once() for _ in range(50))
    assert min(measured["schedule, marginal"]) < 150 * baseline  # a third of it when measured
