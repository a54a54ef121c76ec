"""The engine simulator meets what is known of engines and of queues."""

import pytest

from chimera_bench.validation.check import Check
from chimera_bench.validation.published import MODEL, POINTS, Point, closed_loop, published_checks
from chimera_bench.validation.queues import CASES, EQUAL, EXPONENTIAL, UNEVEN, Case, draw_runs, queue_checks
from chimera_operator.rendering.coefficients import step_time
from chimera_router.scheduling.types import Coefficients

CHECK = Check(case="a queue", figure="mean wait, s", known=2.0, simulated=2.05, tolerance=0.03)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name} {case.utilisation}")
def test_one_slot_waits_as_long_as_theory_says(case: Case) -> None:
    """M/M/1, M/D/1, M/G/1 and priorities without preemption, each class of them: within 3 %."""
    checks = list(queue_checks([case], requests=10_000))

    assert len(checks) == case.classes
    assert [check for check in checks if not check.holds] == []


@pytest.mark.parametrize("point", POINTS, ids=lambda point: f"{point.clients} clients")
def test_an_a6000_is_as_fast_as_measured(point: Point) -> None:
    """Time a token and tokens a second of a 7B model, by the operator's own profile: within 10 %."""
    assert [check for check in published_checks([point]) if not check.holds] == []


def test_throughput_peaks_where_the_slots_end() -> None:
    """More clients than slots wait for one, and answers come no faster: as measured at 512 clients."""
    time = step_time(MODEL, path="model")
    engine = Coefficients(
        base_step=time.base_step_ms / 1e3,
        per_sequence=time.step_per_sequence_us / 1e6,
        prefill_per_token=time.prefill_us_per_token / 1e6,
        max_num_seqs=time.max_num_seqs,
        kv_tokens=time.kv_tokens,
    )
    rates = [closed_loop(engine, Point(clients=n, requests=1024, pace=0.0))[1] for n in (64, 128, 256, 512)]

    assert rates[0] < rates[1] < rates[2]
    assert rates[3] == pytest.approx(rates[2], rel=0.05)


def test_closed_forms_of_known_queues() -> None:
    """M/M/1 waits utilisation / (1 - utilisation) services, M/D/1 half of that."""
    assert Case(name="M/M/1", utilisation=0.8).mean_waits == [pytest.approx(0.8 / 0.2)]
    assert Case(name="M/D/1", utilisation=0.8, lengths=EQUAL).mean_waits == [pytest.approx(0.8 / 0.2 / 2)]


def test_prefill_is_part_of_the_service() -> None:
    """A service that is all prefill has no spread: M/D/1."""
    assert Case(name="all", utilisation=0.5, prefill=1.0).mean_waits == [pytest.approx(0.5)]


def test_priorities_conserve_work() -> None:
    """Kleinrock's law: whoever goes first, the mean wait over all classes is that without classes."""
    one, *_ = Case(name="one", utilisation=0.7).mean_waits
    three = Case(name="three", utilisation=0.7, classes=3).mean_waits

    assert sum(three) / 3 == pytest.approx(one)
    assert three == sorted(three)


@pytest.mark.parametrize("lengths", [EXPONENTIAL, EQUAL, UNEVEN])
def test_distributions_are_what_they_say(lengths: object) -> None:
    """Of mean 1, with the second moment that the closed forms take."""
    values = [lengths.quantile((n + 0.5) / 100_000) for n in range(100_000)]  # type: ignore[attr-defined]

    assert sum(values) / len(values) == pytest.approx(1.0, rel=1e-3)
    assert sum(v * v for v in values) / len(values) == pytest.approx(lengths.second_moment, rel=1e-3)  # type: ignore[attr-defined]


def test_the_runs_of_a_case_mirror_each_other() -> None:
    """Gaps of the second run are services of the first; equal seeds draw equal runs."""
    case = Case(name="M/M/1", utilisation=0.5)
    runs = draw_runs(case, 50, seed=3)
    gaps = [later.at - earlier.at for earlier, later in zip(runs[1], runs[1][1:], strict=False)]

    assert runs == draw_runs(case, 50, seed=3)
    assert [round(gap * 0.5 * 1000) for gap in gaps] == pytest.approx([job.tokens for job in runs[0][1:]], abs=1)


def test_a_check_holds_within_its_tolerance() -> None:
    """By the share of what is known."""
    assert CHECK.off == pytest.approx(0.025)
    assert CHECK.holds
    assert not Check(case="", figure="", known=2.0, simulated=1.9, tolerance=0.03).holds
