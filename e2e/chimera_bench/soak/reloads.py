"""What changes under a picker while it serves: its configuration, its list of endpoints, and broken ones of each."""

import asyncio
import itertools
import json
from collections.abc import Callable

from chimera_bench.chaos.ground import Ground, replace
from chimera_bench.load import pool

EVERY = 2.0  # seconds between two changes; files are followed within one


async def reload(ground: Ground) -> None:
    """Make one change after the other, again and again, until cancelled."""
    for change in itertools.cycle(_changes(ground)):
        change()
        await asyncio.sleep(EVERY)


def _changes(ground: Ground) -> list[Callable[[], None]]:
    fewer = json.loads(pool.config())["models"][:-1]
    return [
        lambda: ground.configure(routing={"slack": {}}),
        lambda: ground.list_endpoints(ground.ports[:-1]),
        lambda: replace(ground.folder / pool.CONFIG, "{"),
        lambda: ground.list_endpoints(ground.ports),
        lambda: ground.configure(models=fewer),  # its predictor is another one, too
        lambda: replace(ground.folder / pool.ENDPOINTS, "["),
        lambda: ground.configure(limits={"maxBodyBytes": 1 << 20}),
        lambda: ground.list_endpoints(ground.ports),
    ]
