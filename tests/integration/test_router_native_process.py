"""The picker process with its own transport: hostile peers hold little of it, and leave nothing in its log."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from gateways import CHAT
from peers import data, headers, only, parsed
from picker_processes import Picker, running, stopped
from sessions import headers as client_headers

from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.frames import Kind, Setting
from chimera_router.extproc.http2.header_blocks import literal
from chimera_router.extproc.paths import PROCESS

pytestmark = pytest.mark.anyio

BLOCK = literal(((":method", "POST"), (":scheme", "http"), (":path", PROCESS), ("content-type", "application/grpc")))
WIDE = frames.settings([(Setting.INITIAL_WINDOW_SIZE, 1 << 30)]) + frames.window_update(0, 1 << 30)


@pytest.fixture(params=["plain", "tls"])
def picker(request: pytest.FixtureRequest, tmp_path: Path) -> Picker:
    return Picker(tmp_path, "127.0.0.1:1", "--log-level=info" if request.param == "tls" else "--insecure")


def connect(picker: Picker) -> socket.socket:
    """Open a connection that takes little before it is read from."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    raw.connect(("127.0.0.1", picker.grpc))
    if "--insecure" in picker.options:
        return raw
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(raw)


def questions() -> Iterator[bytes]:
    """Yield the frames of one exchange after the other, each of which is answered by the list of models at once."""
    asked = client_headers({**CHAT, ":method": "GET", ":path": "/v1/models"}, end=True)
    message = b"\0" + len(asked).to_bytes(4, "big") + asked
    for number in range(1, 1 << 20, 2):
        yield headers(number, BLOCK) + data(number, message)


def push(opened: socket.socket) -> int:
    """Ask until nothing more is taken for a second; return how many questions went out whole."""
    opened.settimeout(1.0)
    asked = 0
    try:
        for question in questions():
            opened.sendall(question)
            asked += 1
    except TimeoutError:
        return asked
    raise AssertionError("everything was taken")


def memory(pid: int) -> int:
    """Return the bytes of memory that a process has in use."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def answered(opened: socket.socket, count: int) -> int:
    """Read until so many responses have ended, and return how many did."""
    left, ended = b"", 0
    while ended < count:
        left += opened.recv(1 << 20)
        whole = left[: _whole(left)]
        left = left[len(whole) :]
        ended += sum(frame.ends for frame in only(list(parsed(whole)), Kind.HEADERS))
    return ended


def _whole(data: bytes) -> int:
    place = 0
    while len(data) - place >= frames.HEADER_SIZE:
        end = place + frames.HEADER_SIZE + (frames.HEAD.unpack_from(data, place)[0] >> 8)
        if end > len(data):
            break
        place = end
    return place


async def test_peer_that_never_reads_is_not_read_from(picker: Picker) -> None:
    """Of a peer that asks and reads nothing a few megabytes are held; when it reads, every answer is there."""
    async with running(picker) as process:
        with closing(connect(picker)) as opened:
            opened.sendall(frames.PREFACE + WIDE)
            before = memory(process.pid)
            asked = await asyncio.to_thread(push, opened)
            assert memory(process.pid) - before < 48 << 20

            opened.settimeout(20.0)
            assert await asyncio.to_thread(answered, opened, asked) >= asked > 1_000
        await stopped(process)


async def test_bad_beginnings_are_not_logged(picker: Picker) -> None:
    """Handshakes that fail, other protocols, garbage and early ends leave no line in the log."""
    async with running(picker) as process:
        for start in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01garbage",
            b"\0" * 100,
            frames.PREFACE + b"\xff" * 20,
            b"",
        ):
            for _ in range(10):
                with closing(socket.create_connection(("127.0.0.1", picker.grpc))) as opened:
                    opened.sendall(start)
        for _ in range(10):
            with closing(connect(picker)) as opened:
                opened.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with closing(connect(picker)) as opened:
            opened.sendall(frames.PREFACE + WIDE + next(questions()))
            assert await asyncio.to_thread(answered, opened, 1) == 1
        log = await stopped(process)

    known = ("self-signed", "certificate", "management", "serving", "stopping", "saved", "state")
    assert [line for line in log.splitlines() if not any(word in line for word in known)] == []
