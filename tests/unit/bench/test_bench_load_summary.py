"""Rounds of several pickers, put together and shown."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from bench_loads import a_measurement
from rich.console import Console

from chimera_bench.load.figures import Spread
from chimera_bench.load.markdown import markdown
from chimera_bench.load.measurement import Measurement
from chimera_bench.load.plot import plot
from chimera_bench.load.session import Record
from chimera_bench.load.standing import Held, Idle
from chimera_bench.load.summary import Line, base, summarise
from chimera_bench.load.tables import other_load, tables

ROUNDS = [
    a_measurement("floor", p50=0.001, cost=0.0),
    a_measurement("native-observe", p50=0.003, cost=100.0),
    a_measurement("grpc-observe", p50=0.005, cost=400.0),
    a_measurement("floor", p50=0.002, cost=0.0, round=1),
    a_measurement("native-observe", p50=0.006, cost=140.0, round=1),
    a_measurement("grpc-observe", p50=0.006, cost=600.0, round=1),
]


def line(name: str, measurements: list[Measurement]) -> Line:
    (summary,) = summarise(measurements)
    return next(line for line in summary.lines if line.picker == name)


def test_latency_is_held_against_the_floor_of_the_same_round() -> None:
    """What the machine did meanwhile is in both of them."""
    added, *_ = line("native-observe", ROUNDS).added

    assert added.low == pytest.approx(0.002)
    assert added.high == pytest.approx(0.004)
    assert added.middle == pytest.approx(0.003)


def test_ratios_are_of_medians() -> None:
    """To the grpc transport where the Go picker did not run."""
    native = line("native-observe", ROUNDS)

    assert native.picker_ratio == pytest.approx(120 / 500)
    assert native.added_ratio == pytest.approx(0.003 / 0.004)


def test_the_go_picker_is_the_base_where_it_ran() -> None:
    """Whatever ran before it."""
    assert base(["floor", "grpc-observe", "go"]) == "go"
    assert base(["floor", "native-skip", "grpc-skip", "grpc-observe"]) == "grpc-skip"
    assert base(["floor", "native-skip"]) is None


def test_the_floor_has_neither_added_latency_nor_ratios() -> None:
    """It is what the others are held against."""
    floor = line("floor", ROUNDS)

    assert (floor.added, floor.picker_ratio, floor.added_ratio) == ((), None, None)
    assert floor.latency[0] == Spread(middle=0.0015, low=0.001, high=0.002)


def test_without_a_floor_nothing_is_added_to_it() -> None:
    """Processor time is compared all the same."""
    found = line("native-observe", [a_measurement("native-observe"), a_measurement("grpc-observe", cost=200.0)])

    assert (found.added, found.added_ratio, found.picker_ratio) == ((), None, 0.5)


def test_failures_are_summed_over_the_rounds() -> None:
    """None of them disappears in a median."""
    assert line("go", [a_measurement("go", failed=1), a_measurement("go", failed=2)]).failed == 3


def test_every_load_has_a_summary_of_its_own() -> None:
    """In the order in which they were measured."""
    measured = [a_measurement(mode="r100"), a_measurement(mode="c16"), a_measurement(case="sse100")]

    assert [(s.case, s.mode) for s in summarise(measured)] == [
        ("json1k", "r100"),
        ("json1k", "c16"),
        ("sse100", "r100"),
    ]


def record() -> Record:
    return Record(
        began="then",
        machine="two cores",
        measurements=ROUNDS,
        held=[Held(picker="native-observe", streams=2000, bytes_each=11_500.0, resident=170_000_000)],
        idle=[Idle(picker="native", endpoints=100, cores=0.015, other_cores=0.2)],
    )


def test_tables_show_medians_spreads_and_ratios() -> None:
    """One for each load, one for streams held open, one for idle endpoints."""
    console = Console(width=120)
    with console.capture() as capture:
        console.print(*tables(record()))
    shown = capture.get()

    for expected in ("json1k, r100", "3.00", "2.00..4.00", "120", "0.240", "0.750", "2000 streams", "11.5", "1.50"):
        assert expected in shown


def test_a_page_has_pickers_down_and_loads_across() -> None:
    """With ratios, the floor's own latency in brackets, and answers a second where connections ask for the most."""
    shown = markdown(Record(measurements=[*ROUNDS, *(replace(each, mode="c16") for each in ROUNDS)]))

    assert "| picker | json1k r100 | json1k c16 |\n| --- | --- | --- |\n" in shown
    assert "| native-observe | 120 (×0.240) | 120 (×0.240) |" in shown
    assert "| floor | (1.50 / 3.00 / 4.50) |" in shown
    assert "**Requests a second**\n\n| picker | json1k c16 |" in shown
    assert "streams held open" not in shown


def test_a_page_has_what_stands_still() -> None:
    """Memory by stream, and processor time without any."""
    shown = markdown(record())

    assert "| native-observe | 11.5 | 170 |" in shown
    assert "| native | 1.50 |" in shown


def test_what_else_kept_the_machine_busy_is_said() -> None:
    """With the machine and the time, since figures of a shared machine mean little without."""
    assert other_load(record()) == ("Other work took 0.500 (0.200 to 0.500) cores of two cores meanwhile; begun then.")
    assert other_load(Record()) == "nothing was measured"


def test_a_record_is_json_with_every_round() -> None:
    """What tables leave out can be worked out from it."""
    document = json.loads(json.dumps(asdict(record())))

    assert [each["picker_us"] for each in document["measurements"]] == [0.0, 100.0, 400.0, 0.0, 140.0, 600.0]
    assert (document["held"][0]["streams"], document["idle"][0]["cores"]) == (2000, 0.015)


@pytest.mark.parametrize("rounds", [ROUNDS, [a_measurement(p50=0.001), a_measurement("floor", p50=0.002)]])
def test_a_picture_is_drawn(tmp_path: Path, rounds: list[Measurement]) -> None:
    """Of whatever was measured, also where noise makes a picker faster than none."""
    path = tmp_path / "bench.png"

    plot(summarise(rounds), path)

    assert path.read_bytes().startswith(b"\x89PNG")
