"""Write only while it is sure that nobody else leads."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager

from chimera_operator.cluster.errors import LeaseLost
from chimera_operator.cluster.port import Api, Call


class Fence:
    """An API server that takes writes from the leader only.

    A process that was frozen for a minute does not know that it lost its lease; here it finds out before it writes.

    Args:
        api: The server.
        leads: Whether it is sure.
    """

    def __init__(self, api: Api, leads: Callable[[], bool]) -> None:
        self._api = api
        self._leads = leads

    async def call(self, call: Call) -> bytes:
        """Return the answer.

        Raises:
            LeaseLost: The call writes, and somebody else may lead.
            ApiServerError: The server refuses, or does not answer.
        """
        if call.verb.writes and not self._leads():
            raise LeaseLost
        return await self._api.call(call)

    def watch(
        self, path: str, query: Mapping[str, str], *, seconds: int
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Yield the events of a watch."""
        return self._api.watch(path, query, seconds=seconds)
