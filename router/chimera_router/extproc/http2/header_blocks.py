"""Header blocks to headers, and back. The decoder is the package `hpack`; most blocks never reach it.

A block means the same as an equal one before it, for as long as the table that both sides keep has not changed; so it
is looked up. A gateway opens all its streams with the same headers, and from the second on a block only names entries
of the table.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from hpack import Decoder, HPACKError, OversizedHeaderListError

from chimera_router.extproc.http2.errors import Code, ConnectionFault, StreamFault

# Bytes of a block, and of names and values as counted for SETTINGS_MAX_HEADER_LIST_SIZE: where gRPC's own servers end
# a call for it. What a gateway was asked comes inside messages; its own headers take a few hundred bytes.
LARGEST = 16 * 1024

_KEPT = 64  # blocks; each gateway has a handful, those with a trace id in them never come again
_SHORT = 512  # bytes of a block that is kept, twice what Envoy's first takes: what a peer says must not fill the memory
_CONNECTION_HEADERS = frozenset(("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"))
_PSEUDO = frozenset((":method", ":scheme", ":path", ":authority"))
_NEEDED = frozenset((":method", ":scheme", ":path"))
_NAME = re.compile("[!-9;-@[-~]+")  # printable ASCII but capitals and colons (RFC 9113, 8.2.1)

Headers = Mapping[str, str]


class BlockReader:
    """Reads the header blocks of one connection, in order."""

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=LARGEST)
        self._known: dict[bytes, Headers] = {}
        self._changed = False

    def request(self, stream: int, block: bytes) -> Headers:
        """Return the headers of a request.

        Raises:
            ConnectionFault: The block cannot be read, or says too much.
            StreamFault: The headers are none of a request.
        """
        known = self._known.get(block)
        if known is not None:
            return known
        headers = _checked(stream, self._decoded(block))
        if not self._changed and len(block) <= _SHORT:
            self._keep(block, headers)
        return headers

    def _keep(self, block: bytes, headers: Headers) -> None:
        while len(self._known) >= _KEPT:
            del self._known[next(iter(self._known))]
        self._known[block] = headers

    def trailers(self, stream: int, block: bytes) -> None:
        """Read trailers, which say nothing to a server of gRPC.

        Raises:
            ConnectionFault: The block cannot be read, or says too much.
            StreamFault: They have names that trailers must not have.
        """
        if any(_malformed(name, value) or _split(value) for name, value in self._decoded(block)):
            raise StreamFault(stream, Code.PROTOCOL_ERROR)

    def skip(self, block: bytes) -> None:
        """Read a block that nobody looks at, to keep in step with the peer.

        Raises:
            ConnectionFault: The block cannot be read, or says too much.
        """
        self._decoded(block)

    def _decoded(self, block: bytes) -> list[tuple[str, str]]:
        size, newest = self._table()
        try:
            fields = self._decoder.decode(block, raw=True)
        except OversizedHeaderListError:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM) from None
        except (HPACKError, IndexError, ValueError):
            raise ConnectionFault(Code.COMPRESSION_ERROR) from None
        size_now, newest_now = self._table()
        self._changed = size_now != size or newest_now is not newest
        if self._changed:
            self._known.clear()
        return [(_text(name), _text(value)) for name, value in fields]

    def _table(self) -> tuple[tuple[int, int], object]:
        """Return what says whether the table changed: it grows at one end, by new objects, and is cut at the other."""
        table = self._decoder.header_table
        entries = table.dynamic_entries
        return (len(entries), table.maxsize), entries[0] if entries else None


def literal(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return a header block of literals that no table keeps; names and values of less than 127 bytes."""
    return b"".join(b"\x00" + _string(name) + _string(value) for name, value in fields)


def _string(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data


def _text(data: bytes | str) -> str:
    return data if isinstance(data, str) else data.decode("latin-1")


def _checked(stream: int, fields: Iterable[tuple[str, str]]) -> Headers:
    """Return a request's headers by name; of repeated ones the last (RFC 9113, 8.2 and 8.3)."""
    headers: dict[str, str] = {}
    regular = False
    for name, value in fields:
        pseudo = name in _PSEUDO
        regular |= not pseudo
        if (pseudo and (regular or name in headers)) or (not pseudo and _malformed(name, value)) or _split(value):
            raise StreamFault(stream, Code.PROTOCOL_ERROR)
        headers[name] = value
    if not headers.keys() >= _NEEDED or not headers[":path"]:
        raise StreamFault(stream, Code.PROTOCOL_ERROR)
    return MappingProxyType(headers)


def _malformed(name: str, value: str) -> bool:
    """Return whether this can be no header but a pseudo-header, nor that."""
    return _NAME.fullmatch(name) is None or name in _CONNECTION_HEADERS or (name == "te" and value != "trailers")


def _split(value: str) -> bool:
    return "\0" in value or "\r" in value or "\n" in value
