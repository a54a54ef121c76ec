"""How a comparison is shown: tables and the plot."""

from pathlib import Path

import pytest
from bench_records import a_record
from PIL import Image
from rich.console import Console
from rich.table import Table

from chimera_bench.comparison_table import frontier_table, settings_table, shown
from chimera_bench.frontier_plot import plot_frontiers
from chimera_bench.paired import Contest, contests
from chimera_bench.records import Record
from chimera_bench.report import Estimate

WIDTH = 120


def records(*, seeds: int = 3, load: float = 0.85, rejected: int = 0) -> list[Record]:
    """Two settings of marginal, Chimera at the first of them, blind round robin twice as slow, an oracle."""
    figures = [
        ("chimera", {"price": 0.01}, 10.0, 0.6),
        ("marginal", {"price": 0.01}, 10.0, 0.6),
        ("marginal", {"price": 0.1}, 5.0, 0.4),
        ("round-robin", {}, 20.0, 0.5),
        ("always-large", {}, 30.0, 0.7),
        ("oracle", {"price": 0.01}, 6.0, 0.8),
    ]
    return [
        a_record(
            policy, params=params, latency=latency + 0.1 * seed, score=score, seed=seed, load=load, rejected=rejected
        )
        for policy, params, latency, score in figures
        for seed in range(seeds)
    ]


def contest(**options: int) -> Contest:
    (found,) = contests(records(**options))
    return found


def text_of(table: Table) -> str:
    console = Console(width=WIDTH, record=True, file=Path("/dev/null").open("w"))  # noqa: SIM115 - the console's to keep
    with console.file:
        console.print(table)
        return console.export_text()


def row(table: Table, name: str) -> list[str]:
    (line,) = (line for line in text_of(table).splitlines() if line.split()[:1] == [name])
    return line.split()


def test_settings_are_held_against_the_blind_baseline() -> None:
    """Half the latency is two times lower; the baseline itself has no such figures."""
    table = settings_table(contest(), ["chimera", "round-robin"], against="round-robin")

    assert row(table, "chimera")[1] == "10.1"
    assert row(table, "chimera")[-4] == "1.99"
    assert row(table, "chimera")[-2] == "+10.0"
    assert len(row(table, "round-robin")) == len(row(table, "chimera")) - 4


def test_the_table_says_what_was_played() -> None:
    """Pool, load, workload, how often, and the order of the models."""
    text = " ".join(text_of(settings_table(contest(), ["chimera"], against="round-robin")).split())

    assert "two, load 0.85: 100 workflows × 3 seeds of workflow_traces/poisson" in text
    assert "Models: small / large" in text
    assert "25/75" in text


def test_the_table_fits_its_console() -> None:
    """No figure is cut short."""
    text = text_of(settings_table(contest(), ["chimera", "round-robin"], against="round-robin"))

    assert "…" not in text
    assert max(map(len, text.splitlines())) <= WIDTH


def test_refusals_are_named() -> None:
    """A latency that leaves out what was refused would flatter."""
    text = " ".join(text_of(settings_table(contest(rejected=2), ["chimera"], against="round-robin")).split())

    assert "Under chimera 6 workflows were refused in all" in text
    assert "refused" not in text_of(settings_table(contest(), ["chimera"], against="round-robin"))


def test_without_the_baseline_nothing_is_held_against_it() -> None:
    """The columns stay empty."""
    assert row(settings_table(contest(), ["chimera"], against="none"), "chimera")[-1] == "25/75"


def test_frontiers_are_compared_at_equal_score_and_latency() -> None:
    """At .5, halfway between the settings of marginal, 7.5 s against 20 s."""
    found = contest()
    table = frontier_table(found, found.of("marginal"), ["round-robin", "always-large", "oracle"])

    assert row(table, "round-robin")[1:4] == ["1", "-62", "%"]
    assert "50.0" in row(table, "round-robin")
    assert row(table, "round-robin")[-2] == "+10.0"
    assert row(table, "always-large")[2:4] == ["not", "reached"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Estimate(mean=0.5, low=0.4, high=0.6), "50.0 ±10.0"),
        (Estimate(mean=0.5, low=float("-inf"), high=float("inf")), "50.0"),
    ],
)
def test_an_estimate_of_one_seed_shows_no_interval(value: Estimate, text: str) -> None:
    """There is none."""
    assert shown(value, scale=100) == text


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("loads", [(0.5,), (0.5, 0.85, 1.5)])
def test_the_plot_has_a_panel_for_each_contest(tmp_path: Path, seeds: int, loads: tuple[float, ...]) -> None:
    """Two a row, each large enough to read."""
    path = tmp_path / "frontier.png"
    found = contests(record for load in loads for record in records(seeds=seeds, load=load))

    plot_frontiers(found, path, references=["oracle"], star="chimera")

    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.height > 500 * -(-len(loads) // 2)


def test_a_plot_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The caller names the file."""
    with pytest.raises(OSError, match="No such file"):
        plot_frontiers([contest()], tmp_path / "none" / "frontier.png", references=[], star="chimera")
