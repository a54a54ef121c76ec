"""The picker keeps what it learned, and a place that cannot be written stops nothing."""

import asyncio
from pathlib import Path

import pytest
from directors import director

from chimera_router import __main__ as program
from chimera_router.prediction import state
from chimera_router.prediction.correction import Corrections
from chimera_router.prediction.port import Observation

pytestmark = pytest.mark.anyio


def picker(state_path: Path | None) -> program.Picker:
    made = director()
    corrections = Corrections()
    corrections.observe(Observation(model="small", stage=0, output_tokens=400, predicted_tokens=100.0))
    return program.Picker(Path("router.json"), state_path, made.metrics, made.datastore, made, corrections)


async def test_state_is_saved_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash costs at most what was learned since the last time."""
    monkeypatch.setattr(program, "SAVE_EVERY", 0.01)
    running = picker(tmp_path)

    keeping = asyncio.create_task(running.keep_state())
    for _ in range(1000):
        if (tmp_path / state.FILE).exists():
            break
        await asyncio.sleep(0.01)
    keeping.cancel()

    assert state.load(tmp_path).by_model == running.corrections.by_model


async def test_a_place_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """It is logged, and the picker goes on."""
    (tmp_path / "file").write_text("in the way")

    await picker(tmp_path / "file").save()

    assert (tmp_path / "file").read_text() == "in the way"


async def test_without_a_place_nothing_is_saved() -> None:
    """Nothing to do is no error."""
    await picker(None).save()
