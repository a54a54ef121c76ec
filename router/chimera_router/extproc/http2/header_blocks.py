"""Header blocks to headers, and back. The decoder is the package `hpack`; most blocks never reach it.

A block means the same as an equal one before it, for as long as the table that both sides keep has not changed; so it
is looked up. A gateway opens all its streams with the same headers, and from the second on a block only names entries
of the table.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from hpack import Decoder, HPACKError, OversizedHeaderListError

from chimera_router.extproc.http2.errors import ConnectionFault, StreamFault
from chimera_router.extproc.http2.frames import Code

LARGEST = 64 * 1024  # bytes of names and values, as counted for SETTINGS_MAX_HEADER_LIST_SIZE; gRPC's take under 8 KiB

_KEPT = 256  # blocks; each gateway has a handful, those with a trace id in them never come again
_CONNECTION_HEADERS = frozenset(("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"))
_PSEUDO = frozenset((":method", ":scheme", ":path", ":authority"))
_NEEDED = frozenset((":method", ":scheme", ":path"))

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
        while len(self._known) >= _KEPT:
            del self._known[next(iter(self._known))]
        if not self._changed:
            self._known[block] = headers
        return headers

    def trailers(self, stream: int, block: bytes) -> None:
        """Read trailers, which say nothing to a server of gRPC.

        Raises:
            ConnectionFault: The block cannot be read, or says too much.
            StreamFault: They have names that trailers must not have.
        """
        if any(_malformed(name, value) or name.startswith(":") for name, value in self._decoded(block)):
            raise StreamFault(stream, Code.PROTOCOL_ERROR)

    def skip(self, block: bytes) -> None:
        """Read a block that nobody looks at, to keep in step with the peer.

        Raises:
            ConnectionFault: The block cannot be read, or says too much.
        """
        self._decoded(block)

    def _table(self) -> tuple[int, object]:
        """Return what differs after every change of the table: it grows at one end, and is cut at the other."""
        entries = self._decoder.header_table.dynamic_entries
        return len(entries), entries[0] if entries else None

    def _decoded(self, block: bytes) -> list[tuple[str, str]]:
        try:
            before = self._table()
            fields = self._decoder.decode(block, raw=True)
            self._changed = self._table() != before
            if self._changed:
                self._known.clear()
            return [(_text(name), _text(value)) for name, value in fields]
        except OversizedHeaderListError:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM) from None
        except (HPACKError, IndexError, ValueError):
            raise ConnectionFault(Code.COMPRESSION_ERROR) from None


def literal(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return a header block of literals that no table keeps; names and values of less than 127 bytes."""
    return b"".join(b"\x00" + _string(name) + _string(value) for name, value in fields)


def _string(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data


def _text(data: bytes | str) -> str:
    return data if isinstance(data, str) else data.decode("latin-1")


def _checked(stream: int, fields: list[tuple[str, str]]) -> Headers:
    """Return a request's headers by name; of repeated ones the last (RFC 9113, 8.2 and 8.3)."""
    headers: dict[str, str] = {}
    for name, value in fields:
        if name.startswith(":"):
            misplaced = name not in _PSEUDO or name in headers or any(not key.startswith(":") for key in headers)
            if misplaced:
                raise StreamFault(stream, Code.PROTOCOL_ERROR)
        elif _malformed(name, value):
            raise StreamFault(stream, Code.PROTOCOL_ERROR)
        headers[name] = value
    if not headers.keys() >= _NEEDED or not headers[":path"]:
        raise StreamFault(stream, Code.PROTOCOL_ERROR)
    return MappingProxyType(headers)


def _malformed(name: str, value: str) -> bool:
    return (
        not name
        or name != name.lower()
        or name in _CONNECTION_HEADERS
        or (name == "te" and value != "trailers")
        or any(character in value for character in "\0\r\n")
    )
