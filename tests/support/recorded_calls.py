"""An API server that remembers what it was asked, and answers as it is told."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from chimera_operator.cluster.errors import ApiServerError
from chimera_operator.cluster.port import Call

Answer = Mapping[str, Any] | ApiServerError


class RecordedCalls:
    """Answers every call with what a function makes of it; by default with the call's own body.

    Attributes:
        calls: What was asked.
    """

    def __init__(self, answer: Callable[[Call], Answer] = lambda call: call.body or {}) -> None:
        self.calls: list[Call] = []
        self._answer = answer

    async def call(self, call: Call) -> bytes:
        self.calls.append(call)
        answer = self._answer(call)
        if isinstance(answer, ApiServerError):
            raise answer
        return json.dumps(answer).encode()

    def watch(
        self, path: str, query: Mapping[str, str], *, seconds: int
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        raise NotImplementedError
