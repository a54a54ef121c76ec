"""Ports and processes of this machine."""

import asyncio
import socket
from contextlib import ExitStack

from chimera_conformance.target import LOOPBACK, Endpoint

OWN_ADDRESSES = (LOOPBACK, LOOPBACK, "127.0.0.2", "::1")  # two ranks of one address, another one, and one of IPv6


def free_ports(count: int) -> list[int]:
    """Return different ports of this machine that nobody listens on now."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [probe.getsockname()[1] for probe in probes]


def own_endpoints() -> tuple[Endpoint, ...]:
    """Return endpoints of this machine to serve, of every kind that it has addresses for."""
    addresses = [ip for ip in OWN_ADDRESSES if _bindable(ip)]
    return tuple(Endpoint(ip, port) for ip, port in zip(addresses, free_ports(len(addresses)), strict=True))


def _bindable(ip: str) -> bool:
    try:
        with socket.create_server((ip, 0), family=socket.AF_INET6 if ":" in ip else socket.AF_INET):
            return True
    except OSError:
        return False


async def stop(process: asyncio.subprocess.Process, *, within: float) -> None:
    """End a process: by SIGTERM, and by SIGKILL where it takes too long."""
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), within)
    except TimeoutError:
        process.kill()
        await process.wait()


async def accepts(host: str, port: int) -> bool:
    """Return whether somebody accepts connections there."""
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True
