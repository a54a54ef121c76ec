"""What a picker does once a moment, whatever comes: look how busy it is, and let time pass for answers out of sight."""

import asyncio
import time

from chimera_router.director import Director

BEAT = 0.5  # seconds; answers take seconds, and how busy a process is takes about that long to tell


async def pulse(director: Director) -> None:
    """Beat until cancelled."""
    used, at = time.process_time(), time.monotonic()
    while True:
        await asyncio.sleep(BEAT)
        before, since, used, at = used, at, time.process_time(), time.monotonic()
        director.sampling.used((used - before) / (at - since))
        director.unseen.tick(director.clock())
