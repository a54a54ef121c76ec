"""The fault scripts in short, on real processes; `make chaos` runs them at full length.

What depends on how fast this machine is at the moment (the p99 of healthy traffic beside others, milliseconds of a
refusal) is left to the full run, and so is memory, which a few hundred requests say nothing of.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from chimera_bench.chaos import __main__ as command
from chimera_bench.chaos import broken_bundles, killed, malformed, mispredicted
from chimera_bench.chaos.bereft import bereft
from chimera_bench.chaos.cancelled import cancelled
from chimera_bench.chaos.drained import drained
from chimera_bench.chaos.finding import Finding
from chimera_bench.chaos.frozen import WAYS, frozen
from chimera_bench.chaos.lied_to import LIES, lied_to
from chimera_bench.chaos.repeated import repeated
from chimera_bench.chaos.slow import slow

pytestmark = pytest.mark.anyio


def hold(findings: Sequence[Finding], *rows: str) -> None:
    """Print all, and assert that these hold; all of them where none is named."""
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    assert [each for each in findings if not each.passed and (not rows or each.row in rows)] == []


@pytest.mark.parametrize("way", [killed.WAYS[2], killed.WAYS[4]], ids=lambda way: way.row)
async def test_a_killed_picker_costs_only_5xx_and_is_left(way: killed.Way) -> None:
    """Row 1: nothing hangs, all recovers; failing open only members of the pool serve."""
    hold(await killed.killed(ways=[way], rate=50.0))


async def test_a_picker_that_stops_loses_no_request() -> None:
    """Row 2: streams end in peace, and new requests are served by the other replica."""
    hold(await drained(streams=100, seconds=4.0))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.row)
async def test_a_frozen_picker_is_given_up_in_time(way: object) -> None:
    """Row 3: late answers reach nobody, and nothing is held when it thaws."""
    hold(await frozen(ways=[way], seconds=3.0))  # type: ignore[list-item]


async def test_an_engine_that_dies_is_left_and_forgotten() -> None:
    """Row 4: its clients know, it is out of rotation, nothing stays in flight."""
    hold(await bereft(streams=20))


@pytest.mark.parametrize("lie", ["always idle", "no answer for 30 s and more"])
async def test_an_engine_that_lies_gets_its_share(lie: str) -> None:
    """Row 5: neither all of the requests nor none."""
    hold(await lied_to(lies={lie: LIES[lie]}, seconds=4.0))


async def test_malformed_bodies_are_refused() -> None:
    """Row 15: each with its status, and the picker serves on."""
    findings = await malformed.malformed(times=3)

    hold(findings, "15")
    statuses = [finding.figure.partition(";")[0] for finding in findings[: len(malformed.BODIES)]]
    assert statuses == [str(body.status) for body in malformed.BODIES.values()]


async def test_a_repeated_field_is_read_alike_by_all() -> None:
    """Row 15: the engine finds one model."""
    hold(await repeated())


async def test_slow_clients_are_read_within_caps_and_forgotten() -> None:
    """Row 16: permits hold, time ends, nothing stays."""
    hold(await slow(clients=500, seconds=3.0), "16a", "16c")


async def test_cancelled_requests_leave_nothing() -> None:
    """Row 16: no place, no stream, no memory."""
    hold(await cancelled(requests=2000, seconds=3.0), "16e")


@pytest.mark.parametrize("way", mispredicted.WAYS[-2:], ids=lambda way: way.what)
async def test_without_a_sound_bundle_medians_predict(way: mispredicted.Broken) -> None:
    """Row 17: all are served, a metric tells, nothing restarts."""
    hold(await mispredicted.mispredicted(ways=[way], seconds=5.0))


async def test_a_prediction_that_becomes_slow_blocks_once() -> None:
    """Row 17: after that, running medians answer in its place."""
    hold(await mispredicted.slowed(times=2))


def test_broken_bundles_differ_from_the_sound_one_in_one_thing(tmp_path: Path) -> None:
    """What has been changed on purpose has the digest that the manifest says, but where that is what is wrong."""
    broken_bundles.not_a_number(tmp_path / "sealed")
    broken_bundles.flipped(tmp_path / "flipped")

    assert unfit(tmp_path / "sealed") == []
    assert unfit(tmp_path / "flipped") == ["stage_tokens.onnx"]


def unfit(folder: Path) -> list[str]:
    files = json.loads((folder / "bundle.json").read_text())["files"]
    return [name for name, sha256 in files.items() if broken_bundles.digest((folder / name).read_bytes()) != sha256]


def test_one_command_makes_the_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints a table, writes JSON, and its exit code tells whether all holds: here engines that go and come."""
    with pytest.raises(SystemExit) as ended:
        command.main(["--rows", "6", "--json", str(tmp_path / "found.json")])

    assert ended.value.code == 0
    assert [each["row"] for each in json.loads((tmp_path / "found.json").read_text())] == ["6a", "6b"]
    assert "rejected-no-endpoints" in capsys.readouterr().out
