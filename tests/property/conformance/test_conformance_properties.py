"""Properties of the kit's own reading and writing."""

import asyncio
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera_conformance.gateway import http1
from chimera_conformance.messages import Call
from chimera_conformance.target import Endpoint, parse_endpoints

PORTS = st.integers(1, 65535)
ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6).filter(lambda ip: "%" not in str(ip)))
ENDPOINTS = st.builds(lambda ip, port: Endpoint(str(ip), port), ADDRESSES, PORTS)
PIECES = st.lists(st.binary(min_size=1, max_size=300), max_size=8)
NAMES = st.from_regex(r"\Ax-[a-z]{1,8}\Z")
VALUES = st.from_regex(r"\A[!-~]{1,12}\Z")


@given(st.lists(ENDPOINTS, max_size=5))
def test_endpoints_are_read_as_they_are_written(endpoints: list[Endpoint]) -> None:
    """A comma list of endpoints, IPv6 in brackets, is read as what was written."""
    assert parse_endpoints([",".join(map(str, endpoints))]) == tuple(endpoints)


@given(ADDRESSES, PORTS)
def test_only_ipv6_stands_in_brackets(ip: IPv4Address | IPv6Address, port: int) -> None:
    """Brackets say IPv6, and nothing else does."""
    assert str(Endpoint(str(ip), port)).startswith("[") == (ip.version == 6)


@given(st.binary(max_size=2000), st.integers(1, 500))
def test_pieces_are_the_body(body: bytes, size: int) -> None:
    """However a body is cut, its pieces put together are the body, and none is larger than asked."""
    pieces = [message.request_body.body for message in Call(body=body).pieces(size)]

    assert b"".join(pieces) == body
    assert all(0 < len(piece) <= size for piece in pieces)


def received(data: bytes, cuts: int) -> tuple[http1.Message, bytes]:
    """Read a message that arrives in so many parts."""

    async def read() -> tuple[http1.Message, bytes]:
        reader = asyncio.StreamReader()
        size = len(data) // cuts + 1

        async def arrive() -> None:
            for start in range(0, len(data), size):
                reader.feed_data(data[start : start + size])
                await asyncio.sleep(0)
            reader.feed_eof()

        async with asyncio.TaskGroup() as group:
            group.create_task(arrive())
            message = await http1.read(reader)
            body = await message.read()
        return message, body

    return asyncio.run(read())


@given(PIECES, st.dictionaries(NAMES, VALUES, max_size=3), st.integers(1, 20))
def test_chunks_are_read_as_they_are_written(pieces: list[bytes], trailers: dict[str, str], cuts: int) -> None:
    """A chunked message arrives whole with its trailers, wherever the network cuts it."""
    head = http1.head("HTTP/1.1 200 OK", [("Transfer-Encoding", "chunked")])
    data = head + b"".join(map(http1.chunk, pieces)) + http1.last_chunk(trailers)

    message, body = received(data, cuts)

    assert (message.status, body, message.trailers) == (200, b"".join(pieces), trailers)


@given(st.binary(max_size=500), st.dictionaries(NAMES, VALUES, max_size=3), st.integers(1, 20))
def test_sized_body_is_read_as_it_is_written(body: bytes, headers: dict[str, str], cuts: int) -> None:
    """A message with a length arrives whole with its headers, and what follows it is left alone."""
    fields = [*headers.items(), ("Content-Length", str(len(body)))]

    message, read = received(http1.head("POST /x HTTP/1.1", fields) + body, cuts)

    assert (message.start, read) == ("POST /x HTTP/1.1", body)
    assert all(message.header(name) == value for name, value in headers.items())


@given(st.binary(max_size=200), st.integers(0, 400))
def test_message_that_is_cut_off_is_broken(body: bytes, end: int) -> None:
    """A message that ends early is never taken for a whole one."""
    data = http1.head("HTTP/1.1 200 OK", [("Transfer-Encoding", "chunked")])
    data += http1.chunk(body) + http1.last_chunk({})
    cut = data[: min(end, len(data) - 1)]

    with pytest.raises(ExceptionGroup) as raised:
        received(cut, 1)

    assert raised.group_contains(http1.Broken)
