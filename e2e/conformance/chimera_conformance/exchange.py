"""One ext_proc stream, driven as a gateway drives it: send, collect what comes within a time, end."""

import asyncio
from typing import Any

import grpc
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc

from chimera_conformance import wire
from chimera_conformance.answers import Answers, Ending, Until
from chimera_conformance.verdicts import Violation

_MOMENT = 0.05  # seconds in which the end of a stream follows what was answered last
_MANY = 1000  # messages that a picker takes within the patience


class Exchange:
    """One open stream. Collecting never judges: what is missing is the case's to say."""

    def __init__(self, channel: grpc.aio.Channel, *, patience: float) -> None:
        process = channel.stream_stream(
            wire.PROCESS, request_serializer=_serialized, response_deserializer=ext_proc.ProcessingResponse.FromString
        )
        self._call = process()
        self._patience = patience
        self._messages: list[Any] = []
        self._ending: Ending | None = None
        self._news = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    @property
    def answers(self) -> Answers:
        """What has come so far."""
        return Answers(tuple(self._messages), self._ending)

    async def send(self, *messages: Any) -> None:
        """Send messages, protobuf or raw bytes; those that a closed stream no longer takes are lost, as on any wire.

        Raises:
            Violation: The picker leaves the stream open and stops reading from it.
        """
        try:
            async with asyncio.timeout(self._patience * (1 + len(messages) // _MANY)):
                for message in messages:
                    await self._call.write(message)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return
        except TimeoutError:
            raise Violation("the picker stopped reading from an open stream") from None

    async def collect(self, until: Until, *, within: float | None = None) -> Answers:
        """Return all that has come once the condition holds, the request was refused, or the stream or time is over.

        Args:
            until: When there is enough.
            within: Seconds; without it, the target's patience.
        """
        deadline = asyncio.get_running_loop().time() + (self._patience if within is None else within)
        while not (until(self.answers) or self.answers.immediate is not None or self._ending):
            self._news.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._news.wait()
            except TimeoutError:
                break
        return self.answers

    async def pause(self) -> None:
        """Give a picker that looks no further a moment to end the stream: what is sent meanwhile would break it."""
        await self.ending(within=_MOMENT)

    async def half_close(self) -> None:
        """Say that nothing more will be sent."""
        try:
            await self._call.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return

    async def ending(self, *, within: float | None = None) -> Ending | None:
        """Return how the picker ended the stream; None where it did not in time."""
        try:
            await asyncio.wait_for(asyncio.shield(self._reader), self._patience if within is None else within)
        except TimeoutError:
            return None
        return self._ending

    async def close(self) -> None:
        """Cancel what is left, as a gateway does whose client has gone."""
        self._call.cancel()
        await self._reader

    async def _read(self) -> None:
        try:
            while (message := await self._call.read()) is not grpc.aio.EOF:
                self._messages.append(message)
                self._news.set()
        except grpc.aio.AioRpcError:
            pass  # the status says it
        except asyncio.CancelledError:
            if not self._call.cancelled():
                raise
        self._ending = Ending((await self._call.code()).name, await self._call.details() or "")
        self._news.set()


def _serialized(message: Any) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()
