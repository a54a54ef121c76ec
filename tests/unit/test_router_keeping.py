"""The picker keeps what it learned, and a place that cannot be written stops nothing."""

import asyncio
from pathlib import Path

import pytest

from chimera_router import keeping
from chimera_router.keeping import Keeping
from chimera_router.prediction import state
from chimera_router.prediction.correction import Corrections
from chimera_router.prediction.port import Observation

pytestmark = pytest.mark.anyio


def learned() -> Corrections:
    corrections = Corrections()
    corrections.observe(Observation(model="small", stage=0, output_tokens=400, predicted_tokens=100.0))
    return corrections


async def test_state_is_saved_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash costs at most what was learned since the last time."""
    monkeypatch.setattr(keeping, "SAVE_EVERY", 0.01)
    kept = Keeping(learned(), tmp_path)

    running = asyncio.create_task(kept.run())
    for _ in range(1000):
        if (tmp_path / state.FILE).exists():
            break
        await asyncio.sleep(0.01)
    running.cancel()

    assert keeping.opened(tmp_path).corrections.by_model == kept.corrections.by_model


async def test_a_place_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """It is logged, and the picker goes on."""
    (tmp_path / "file").write_text("in the way")

    await Keeping(learned(), tmp_path / "file").save()

    assert (tmp_path / "file").read_text() == "in the way"


async def test_without_a_place_nothing_is_saved() -> None:
    """Nothing to do is no error."""
    await Keeping(learned(), None).save()


def test_a_state_that_cannot_be_read_is_a_new_start(tmp_path: Path) -> None:
    """What was learned is worth less than a picker that runs."""
    (tmp_path / state.FILE).write_text("no state")

    assert not keeping.opened(tmp_path).corrections.by_model
