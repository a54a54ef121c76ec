"""A connection is kept for as long as it is of use, and as many of them as there is room for."""

import socket

import pytest
from directors import Clock, director
from grpc_health.v1 import health_pb2
from peers import Frame, goaway, parsed, ping
from sessions import Connected, Wire, headers, piece

from chimera_router.director import Director
from chimera_router.extproc import native, session
from chimera_router.extproc.health import Health
from chimera_router.extproc.http2 import frames
from chimera_router.extproc.http2.errors import Code
from chimera_router.extproc.http2.frames import Kind
from chimera_router.extproc.native import NativeServer
from chimera_router.extproc.paths import PROCESS, WATCH
from chimera_router.extproc.rpc import Status
from chimera_router.extproc.session import Session

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def made(clock: Clock) -> Director:
    return director(clock=clock)


@pytest.fixture
async def server(made: Director) -> NativeServer:
    return NativeServer(made, Health(), host="127.0.0.1", port=0)


def connect(server: NativeServer, wire: Wire) -> Session:
    """Let a peer connect that says nothing."""
    made = Session(server)
    made.connection_made(wire)
    return made


def last(wire: Wire) -> Frame:
    return list(parsed(wire.written))[-1]


def connections(made: Director) -> float | None:
    return made.metrics.registry.get_sample_value("chimera_connections")


async def test_peer_that_does_not_greet_is_given_up(server: NativeServer, clock: Clock) -> None:
    """Who has not sent its settings in time is told, and then closed on."""
    wire = Wire()
    connected = connect(server, wire)
    connected.data_received(frames.PREFACE)
    clock.now += session.GREETING
    server.sweep()
    assert (wire.state, last(wire).kind) == ("open", Kind.WINDOW_UPDATE)

    for _ in range(2):
        clock.now += session.GREETING + 0.1
        server.sweep()

    assert wire.state == "closed"
    assert goaway(last(wire)) == (0, Code.NO_ERROR)


async def test_idle_connection_is_given_up_in_good_order(server: NativeServer, clock: Clock) -> None:
    """An hour after its last call the peer is asked to open no more; when it has heard, the connection is closed."""
    connected = Connected(server)
    number = connected.caller.open(WATCH)
    connected.caller.say(number, health_pb2.HealthCheckRequest().SerializeToString())
    clock.now += 2 * session.IDLE
    server.sweep()
    assert connected.wire.written == b""
    connected.caller.cancel(number)
    clock.now += session.IDLE + 0.1
    server.sweep()
    asked, last_call = parsed(connected.wire.written)
    assert goaway(asked) == (frames.STREAM_MASK, Code.NO_ERROR)
    assert connected.wire.state == "open"

    connected.session.data_received(ping(last_call.payload, frames.ACK))

    assert connected.wire.state == "closed"


async def test_idle_connection_that_does_not_answer_is_closed(server: NativeServer, clock: Clock) -> None:
    """It is waited for as long as for a greeting."""
    connected = Connected(server)
    clock.now += session.IDLE + 0.1
    server.sweep()
    clock.now += session.GREETING
    server.sweep()

    assert connected.wire.state == "closed"


async def test_slow_reader_is_not_read_from(server: NativeServer) -> None:
    """While too much waits to be written nothing more is read; then again, unless the connection is closing."""
    wire = Wire()
    connected = connect(server, wire)
    connected.pause_writing()
    assert not wire.reading
    connected.resume_writing()
    assert wire.reading
    connected.pause_writing()
    wire.close()
    connected.resume_writing()
    assert not wire.reading


async def test_vanished_peers_are_found_by_the_kernel(server: NativeServer) -> None:
    """A silent connection is probed, and given up as soon as one on which something is to be written and not taken."""
    wire = Wire()
    connect(server, wire)
    tcp = {option: value for (level, option), value in wire.socket.options.items() if level == socket.IPPROTO_TCP}

    assert wire.socket.options[socket.SOL_SOCKET, socket.SO_KEEPALIVE] == 1
    found = tcp[socket.TCP_KEEPIDLE] + tcp[socket.TCP_KEEPINTVL] * tcp[socket.TCP_KEEPCNT]
    assert found * 1000 == tcp[socket.TCP_USER_TIMEOUT] == 90_000
    assert tcp[socket.TCP_NODELAY] == 1


async def test_fault_of_the_peer_closes_the_connection(server: NativeServer, made: Director) -> None:
    """After the reason was written; what it still sends is not read."""
    wire = Wire()
    connected = connect(server, wire)
    connected.data_received(b"GET / HTTP/1.1\r\n\r\n")

    assert (wire.state, last(wire).code) == ("closed", Code.PROTOCOL_ERROR)
    connected.data_received(b"more")
    connected.connection_lost(None)
    connected.flush()
    connected.abort()
    assert connections(made) == 0


async def test_one_without_a_call_makes_room(server: NativeServer, made: Director) -> None:
    """Where there are as many connections as there may be, the one that has been without a call for longest goes."""
    busy = Connected(server)
    busy.caller.open(PROCESS)
    wires = [Wire() for _ in range(native.CONNECTIONS)]
    for wire in wires:
        connect(server, wire)

    assert busy.wire.state == "open"
    assert [wire.state for wire in wires] == ["aborted"] + ["open"] * (native.CONNECTIONS - 1)
    assert connections(made) == native.CONNECTIONS


async def test_newcomer_is_turned_away_where_all_are_busy(server: NativeServer, made: Director) -> None:
    """No call is ended for a connection that has none."""
    for _ in range(native.CONNECTIONS):
        Connected(server).caller.open(PROCESS)
    wire = Wire()
    newcomer = connect(server, wire)
    newcomer.connection_lost(None)

    assert wire.state == "aborted"
    assert connections(made) == native.CONNECTIONS


async def test_leaving_lets_answers_go_on(server: NativeServer, made: Director) -> None:
    """What has its destination needs the picker no more; what has none is told to go elsewhere."""
    connected = Connected(server)
    routed, asking = connected.ask(), connected.ask(b"{", end=False)
    connected.caller.say(routed, headers({":status": "200"}, response=True), piece(b"half", response=True))
    for process in server.open:
        process.leave()
    connected.caller.read()

    statuses = [connected.caller.answers[number].status for number in (routed, asking)]
    assert statuses == [Status.OK, Status.UNAVAILABLE]
    assert (server.open, made.metrics.registry.get_sample_value("chimera_streams")) == ((), 0)


async def test_peer_that_never_takes_an_answer_gets_no_room_to_ask(server: NativeServer) -> None:
    """Once 32 MiB wait for its windows it may fill the connection's window, and no more of it is held."""
    connected = Connected(server, window=0)
    body, sent = b'{"model":"auto","messages":[{"role":"user","content":"' + b"x" * 200_000 + b'"}]}', 0
    while connected.caller.room > len(body) + 1_000:
        connected.ask(body)
        sent += len(body)

    assert 32 << 20 < connected.session.connection.held < 48 << 20
    assert sent < 48 << 20
