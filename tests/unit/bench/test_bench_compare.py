"""Cells that are played, and their records."""

from dataclasses import replace

import pytest
from bench_grounds import ground

from chimera_bench.baselines import CATALOGUE
from chimera_bench.compare import cells, compare
from chimera_bench.records import Cell, Record

GROUNDS = {"two": ground()}


def planned(*policies: str, loads: tuple[float, ...] = (0.85,), seeds: int = 1, swept: bool = False) -> list[Cell]:
    return cells(GROUNDS, policies, loads=lambda _: loads, seeds=seeds, swept=swept)


def played(policy: str, *, load: float = 0.85, seed: int = 0, **params: float) -> Record:
    cell = Cell(
        workload="workflow_traces/poisson",
        pool="two",
        policy=policy,
        params={**CATALOGUE[policy].defaults, **params},
        load=load,
        seed=seed,
    )
    return GROUNDS["two"].play(cell)


def test_cells_are_all_combinations() -> None:
    """By pool, load, policy, setting and seed."""
    found = planned("chimera", "round-robin", loads=(0.5, 1.5), seeds=3)

    assert len(found) == 2 * 2 * 3
    assert [(cell.load, cell.policy, cell.seed) for cell in found[:4]] == [
        (0.5, "chimera", 0),
        (0.5, "chimera", 1),
        (0.5, "chimera", 2),
        (0.5, "round-robin", 0),
    ]


def test_a_sweep_plays_every_setting() -> None:
    """Of those policies that have some."""
    found = planned("marginal", "round-robin", swept=True)

    assert [cell.policy for cell in found].count("marginal") == len(CATALOGUE["marginal"].settings(swept=True))
    assert [cell.policy for cell in found].count("round-robin") == 1


def test_what_fills_the_engines_does_not_count() -> None:
    """Workflows of the warm-up come before those that count, whose number stays; at a busy pool they find a queue."""
    cell = planned("always-large", loads=(4.0,))[0]

    cold, warm = ground().play(cell), ground(warm_up=60.0).play(cell)

    assert (cold.workflows, warm.workflows) == (40, 40)
    assert warm.latency_mean > 1.2 * cold.latency_mean


def test_a_trace_spares_what_it_can() -> None:
    """A warm-up longer than the trace takes what the workflows leave of it."""
    cell = planned("round-robin")[0]

    assert ground(gaps=[1.0] * 60, warm_up=1e6).play(cell).workflows == 40


@pytest.mark.parametrize("policy", CATALOGUE)
def test_every_contestant_plays(policy: str) -> None:
    """All workflows are answered by models of the pool."""
    made = played(policy)

    assert (made.workflows, made.rejected) == (40, 0)
    assert sum(made.share.values()) == pytest.approx(1.0)
    assert made.latency_p50 <= made.latency_p95 <= made.latency_p99


def test_equal_cells_give_equal_records() -> None:
    """A comparison can be repeated."""
    plan = planned("chimera", "random-split", "mlfq", seeds=2)

    assert compare(GROUNDS, plan, workers=1) == compare(GROUNDS, plan, workers=1)


def test_records_do_not_depend_on_the_number_of_workers() -> None:
    """Nor does their order."""
    plan = planned("chimera", "round-robin", seeds=2)
    told: list[None] = []

    spread = compare(GROUNDS, plan, workers=2, on_record=lambda: told.append(None))

    assert spread == compare(GROUNDS, plan, workers=1)
    assert len(told) == len(plan)


def test_seeds_give_other_workloads() -> None:
    """So that their spread says how sure a figure is."""
    assert played("round-robin", seed=0).latency_mean != played("round-robin", seed=1).latency_mean


def test_always_large_costs_one() -> None:
    """Cost is relative to the large model's recorded runs, which are what it plays."""
    assert played("always-large").cost == pytest.approx(1.0)
    assert played("always-small").cost == pytest.approx(0.1 * 150 / 120, rel=0.1)


def test_scores_are_those_of_the_models_chosen() -> None:
    """Of three tasks the large model solves two, the small one one."""
    assert played("always-large").score == pytest.approx(2 / 3, abs=0.05)
    assert played("always-small").score == pytest.approx(1 / 3, abs=0.05)


def test_the_oracle_sends_to_the_large_model_what_only_it_solves() -> None:
    """The score of always-large, in less time."""
    oracle, large = played("oracle"), played("always-large")

    assert oracle.score == pytest.approx(large.score)
    assert oracle.latency_mean < large.latency_mean
    assert oracle.share["large"] == pytest.approx(1 / 3, abs=0.05)


def test_confidence_and_lengths_come_from_where_the_setting_says() -> None:
    """Averages cannot tell tasks apart: all of them go where most are solved."""
    assert played("without-confidence", price=0.0001).share == {"small": 0.0, "large": 1.0}


def test_a_trace_spaces_arrivals() -> None:
    """Its bursts stay, scaled to the load."""
    steady = replace(ground(), gaps=[1.0] * 60)
    bursts = replace(ground(), gaps=[0.0, 0.0, 0.0, 4.0] * 15)
    (cell,) = planned("round-robin")

    assert steady.play(cell).latency_mean < bursts.play(cell).latency_mean


def test_a_share_of_capacity_is_a_load() -> None:
    """Round robin sends each of two engines half: at load 1 the slower one is full, and the other one is not."""
    full = GROUNDS["two"].load_of(1.0)

    assert full > 1.0
    assert GROUNDS["two"].load_of(0.7) == pytest.approx(0.7 * full)


def test_more_load_takes_more_time() -> None:
    """For a policy that does not look at it."""
    assert played("always-large", load=0.2).latency_mean < played("always-large", load=4.0).latency_mean
