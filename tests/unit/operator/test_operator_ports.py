"""Ports that nobody else has."""

import socket
from collections.abc import Iterator

import pytest

from chimera_operator.local import ports
from chimera_operator.local.errors import LocalError, PortInUse


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    listener = socket.create_server(("127.0.0.1", 0))
    yield listener
    listener.close()


def test_free_ports_are_distinct_and_below_the_ephemeral_range() -> None:
    """No outgoing connection takes one before its owner binds it."""
    free = ports.free_ports(50)

    assert len(set(free)) == 50
    assert all(port in ports.BELOW_EPHEMERAL and ports.is_free(port) for port in free)


def test_a_busy_port_is_named(taken: socket.socket) -> None:
    """The error says which port."""
    port = taken.getsockname()[1]

    with pytest.raises(PortInUse, match=rf"^port {port} is in use$"):
        ports.claim(port)


def test_a_free_port_is_taken_as_asked() -> None:
    """A port given by a person is used, and 0 means any."""
    free = ports.free_ports(1)[0]

    assert ports.claim(free) == free
    assert ports.claim(0) in ports.BELOW_EPHEMERAL


def test_too_few_free_ports_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without room says so instead of starting half a pool."""
    monkeypatch.setattr(ports, "BELOW_EPHEMERAL", range(10_000, 10_002))
    monkeypatch.setattr(ports, "is_free", lambda port: port == 10_001)

    with pytest.raises(LocalError, match=r"^3 free ports are needed and 1 were found$"):
        ports.free_ports(3)
