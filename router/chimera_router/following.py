"""Values made from files, made anew while the process runs when the files change.

The files are looked at from time to time rather than waited for: network file systems send no events, and a few seconds
are little beside the minute or more that a kubelet takes to swap a mounted Secret.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from chimera_router.errors import ConfigError

LOOK = 2.0  # seconds between two looks; a change is taken after four at most

Made = TypeVar("Made")


class Followed(Generic[Made]):
    """A value made from the contents of files.

    New contents replace it once two looks in a row have found the same: until then some of the files may not be written
    yet. Contents that break a rule change nothing.

    Args:
        place: What errors call the files.
        paths: The files, read in this order.
        make: Makes the value from their contents; raises ConfigError where they break a rule.
        told: Called with each new value, or with the rule that new contents break.

    Attributes:
        value: Of the last contents that break no rule.

    Raises:
        ConfigError: A file cannot be read, or the first contents break a rule.
    """

    def __init__(
        self,
        place: str,
        paths: Sequence[Path],
        *,
        make: Callable[..., Made],
        told: Callable[[Made | ConfigError], None],
    ) -> None:
        self._place, self._paths, self._make, self._told = place, tuple(paths), make, told
        self._found = self._judged = self._contents()
        self.value = self._made(self._found)

    async def run(self, every: float = LOOK) -> None:
        """Look at the files every so many seconds, for ever."""
        while True:
            await asyncio.sleep(every)
            await self.look()

    async def look(self) -> None:
        """Look at the files once."""
        before, self._found = self._found, await asyncio.to_thread(self._contents)
        if self._found == before != self._judged:
            await self._judge()

    async def _judge(self) -> None:
        self._judged = self._found
        try:
            self.value = await asyncio.to_thread(self._made, self._judged)
        except ConfigError as error:
            self._told(error)
        else:
            self._told(self.value)

    def _made(self, contents: tuple[bytes, ...] | str) -> Made:
        if isinstance(contents, str):
            raise ConfigError(contents)
        try:
            return self._make(*contents)
        except ConfigError as error:
            raise ConfigError(f"{self._place}: {error}") from error

    def _contents(self) -> tuple[bytes, ...] | str:
        """Return what the files hold, or which rule they break where they cannot be read."""
        try:
            return tuple(path.read_bytes() for path in self._paths)
        except OSError as error:
            return f"{error.filename}: cannot be read ({type(error).__name__})"
