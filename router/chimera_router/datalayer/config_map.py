"""Follow the text under one key of a ConfigMap."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from chimera_router.datalayer import resources
from chimera_router.datalayer.reflector import Reflector
from chimera_router.datalayer.watcher import Watcher


async def texts(watcher: Watcher, *, namespace: str, name: str, key: str) -> AsyncGenerator[str | None]:
    """Yield the text as it is, and again whenever it is another one; None while there is none. Never ends."""
    last: list[str | None] = []
    async with aclosing(Reflector(watcher, resources.config_map(namespace, name)).states()) as states:
        async for found in states:
            text = found[name].data.get(key) if name in found else None
            if last != [text]:
                last = [text]
                yield text
