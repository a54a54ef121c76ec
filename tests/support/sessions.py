"""Connections of the picker's own transport without a socket, and a gateway's messages on them."""

import asyncio
from collections.abc import Mapping
from typing import Any

from callers import Caller
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from gateways import BODY, CHAT

from chimera_router.extproc.native import NativeServer
from chimera_router.extproc.paths import PROCESS
from chimera_router.extproc.session import Session


class FakeSocket:
    """Takes any option, and remembers it."""

    def __init__(self) -> None:
        self.options: dict[tuple[int, int], int] = {}

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options[level, option] = value


class Wire(asyncio.Transport):
    """What a session writes to, as an event loop would hand it over.

    Attributes:
        written: What was written and not read yet.
        reading: Whether the session wants to hear more.
        state: `open`, `closed` in good order, or `aborted`.
        socket: Beneath it.
    """

    def __init__(self) -> None:
        self.socket = FakeSocket()
        super().__init__(extra={"socket": self.socket})
        self.written = b""
        self.reading = True
        self.state = "open"

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self.state == "open"
        self.written += bytes(data)

    def close(self) -> None:
        self.state = "closed" if self.state == "open" else self.state

    def abort(self) -> None:
        self.state = "aborted"

    def is_closing(self) -> bool:
        return self.state != "open"

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...


class Connected:
    """A gateway, connected to a server that listens nowhere.

    Attributes:
        session: The server's end.
        wire: In between.
        caller: The gateway's end.
    """

    def __init__(self, server: NativeServer, *, window: int = 1 << 30) -> None:
        self.wire = Wire()
        self.session = Session(server)
        self.session.connection_made(self.wire)
        self.caller = Caller(self, window=window)

    def receive(self, data: bytes) -> None:
        self.session.data_received(data)

    def output(self) -> bytes:
        data, self.wire.written = self.wire.written, b""
        return data

    def lose(self) -> None:
        """Let the connection be gone."""
        self.session.connection_lost(None)

    def ask(self, body: bytes = BODY, *, end: bool = True) -> int:
        """Open an exchange and send a request; return the number of its stream."""
        number = self.caller.open(PROCESS)
        self.caller.say(number, headers(CHAT), piece(body, end=end))
        return number

    def told(self, number: int) -> list[ext_proc.ProcessingResponse]:
        """Return the picker's answers on a stream, as far as it has spoken."""
        self.caller.read()
        return [ext_proc.ProcessingResponse.FromString(message) for message in self.caller.answers[number].messages]


def headers(fields: Mapping[str, str], *, response: bool = False, end: bool = False) -> bytes:
    """Return a message with a client's headers, or an engine's."""
    part = ext_proc.HttpHeaders(end_of_stream=end)
    for name, value in fields.items():
        part.headers.headers.add(key=name, raw_value=value.encode())
    return _message("response_headers" if response else "request_headers", part)


def piece(data: bytes, *, response: bool = False, end: bool = False) -> bytes:
    """Return a message with a piece of a client's body, or of an engine's answer."""
    part = ext_proc.HttpBody(body=data, end_of_stream=end)
    return _message("response_body" if response else "request_body", part)


def _message(name: str, part: Any) -> bytes:
    message: bytes = ext_proc.ProcessingRequest(**{name: part}).SerializeToString()
    return message
