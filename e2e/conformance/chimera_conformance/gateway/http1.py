"""HTTP/1.1 as the kit needs it on both sides of the gateway: bytes as they arrive, and trailers."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping

Headers = list[tuple[str, str]]

_PIECE = 1 << 16  # bytes read at once
_CRLF = b"\r\n"


class Broken(Exception):  # noqa: N818 - what happened to the connection
    """The connection ended inside a message, or what came is no HTTP."""


class Message:
    """A request or a response whose head has arrived.

    Attributes:
        start: The first line.
        headers: Names in lower case, in order.
        trailers: Complete once the body was read.
    """

    def __init__(self, start: str, headers: Headers, reader: asyncio.StreamReader) -> None:
        self.start = start
        self.headers = headers
        self.trailers: dict[str, str] = {}
        self._reader = reader

    def header(self, name: str) -> str:
        """Return a header's value, the first where it comes twice, or an empty text."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def status(self) -> int:
        """The status code of a response."""
        return int(self.start.split(" ")[1])

    async def read(self) -> bytes:
        """Return the whole body."""
        return b"".join([data async for data in self.body()])

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body's bytes as they arrive."""
        if "chunked" in self.header("transfer-encoding"):
            async for data in self._chunks():
                yield data
        else:
            left = int(self.header("content-length") or 0)
            while left:
                data = await _some(self._reader, left)
                left -= len(data)
                yield data

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := _size(await _line(self._reader)):
            left = size
            while left:
                data = await _some(self._reader, left)
                left -= len(data)
                yield data
            await _line(self._reader)
        self.trailers.update(await _fields(self._reader))


async def read(reader: asyncio.StreamReader) -> Message:
    """Return the next message of a connection, as soon as its head is there.

    Raises:
        Broken: The connection ended.
    """
    start = await _line(reader)
    return Message(start, await _fields(reader), reader)


def head(start: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return the head of a message."""
    return "\r\n".join([start, *(f"{name}: {value}" for name, value in headers), "", ""]).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body; an empty one would end it, so there is none."""
    return b"%x\r\n%s\r\n" % (len(data), data) if data else b""


def last_chunk(trailers: Mapping[str, str]) -> bytes:
    """Return the end of a chunked body."""
    return b"0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in trailers.items()).encode() + _CRLF


def _size(line: str) -> int:
    try:
        return int(line.partition(";")[0], 16)
    except ValueError as error:
        raise Broken from error


async def _line(reader: asyncio.StreamReader) -> str:
    try:
        return (await reader.readuntil(_CRLF))[:-2].decode("latin-1")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError) as error:
        raise Broken from error


async def _fields(reader: asyncio.StreamReader) -> Headers:
    fields: Headers = []
    while line := await _line(reader):
        name, _, value = line.partition(":")
        fields.append((name.lower(), value.strip()))
    return fields


async def _some(reader: asyncio.StreamReader, most: int) -> bytes:
    """Return what has arrived of so many bytes, at least one."""
    try:
        data = await reader.read(min(most, _PIECE))
    except OSError as error:
        raise Broken from error
    if not data:
        raise Broken
    return data
