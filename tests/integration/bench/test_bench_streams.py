"""Streams by the thousand, in small: both transports serve them, and their figures are told."""

import io
import json

import pytest
from rich.console import Console

from chimera_bench.streams import __main__ as streams
from chimera_bench.streams.at_once import Crowd
from chimera_bench.streams.given_up import Storm
from chimera_router.transports import Transport

CROWD = Crowd(streams=3, refused=1, waits=[0.001, 0.002, 0.1], held_kb=9.5)
STORM = Storm(cancelled=50, seconds=2.0, quiet=[0.001] * 9, during=[0.002] * 9, lost=0, growth=2048)


@pytest.mark.anyio
@pytest.mark.parametrize("transport", list(Transport))
async def test_every_stream_is_served_and_none_is_left(transport: Transport) -> None:
    """All that are opened at once are answered; those who wait beside a storm of cancellations are too."""
    crowd, storm = await streams.measure(transport, streams=300, cancelled=400, rate=200.0, before=1.0)

    assert (len(crowd.waits), crowd.refused) == (300, 0)
    assert (storm.cancelled, storm.lost) == (400, 0)
    assert len(storm.quiet) > 20
    assert len(storm.during) > 40


def test_figures_are_told() -> None:
    """A row for each figure, a column for each transport."""
    shown = io.StringIO()
    Console(width=120, file=shown).print(streams.table({"native": (CROWD, STORM), "grpc": (CROWD, STORM)}))
    text = shown.getvalue()

    assert [line.split("│")[2].strip() for line in text.splitlines() if "first answer" in line] == ["2, 98"]
    for row in ("answered", "memory of each", "others' p50, p99 during", "others lost"):
        assert row in text


def test_quantile_of_nothing_is_nothing() -> None:
    """Where nobody waited there is no time that they did."""
    assert streams.quantile([], 0.5) == 0.0
    assert streams.quantile([0.001, 0.001], 0.99) == 1.0


def test_json_can_be_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With the waits themselves, for figures of one's own."""

    async def measured(_transport: str, **_told: float) -> tuple[Crowd, Storm]:
        return CROWD, STORM

    monkeypatch.setattr(streams, "measure", measured)
    monkeypatch.setattr("sys.argv", ["streams", "--json", "--transport", "native"])
    streams.main()

    assert json.loads(capsys.readouterr().out)["native"][0]["waits"] == [0.001, 0.002, 0.1]
