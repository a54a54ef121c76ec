"""Keep what was learned beyond the end of the process, where there is a place for it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import structlog

from chimera_router.errors import StateError
from chimera_router.prediction import state
from chimera_router.prediction.correction import Corrections

SAVE_EVERY = 60.0  # seconds; what a crash may cost of what was learned

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Keeping:
    """The corrections of one picker, and the folder that keeps them; None keeps nothing."""

    corrections: Corrections
    folder: Path | None

    async def run(self) -> None:
        """Save now and then, until cancelled."""
        while True:
            await asyncio.sleep(SAVE_EVERY)
            await self.save()

    async def save(self) -> None:
        """Save now; a failure costs no request."""
        if self.folder is None:
            return
        data = state.encode(self.corrections)
        try:
            await asyncio.to_thread(state.write, self.folder, data)
        except StateError as error:
            _log.error("state not saved", rule=str(error))


def opened(folder: Path | None) -> Keeping:
    """Return what the folder keeps; a new start where it keeps nothing, or nothing that can be read."""
    try:
        return Keeping(state.load(folder) if folder else Corrections(), folder)
    except StateError as error:
        _log.error("state refused, starting anew", rule=str(error))
        return Keeping(Corrections(), folder)
