"""Blocks that are looked up mean what a decoder reads that is given all of them."""

from drawing import Draw
from hpack import Decoder, HPACKError
from peers import BLOCK

from chimera_router.extproc.http2.errors import ConnectionFault, StreamFault
from chimera_router.extproc.http2.header_blocks import LARGEST, BlockReader

_PARTS = (
    b"\x40\x01a\x011",
    b"\x40\x01b\x012",
    b"\x00\x01x\x01y",
    b"\xbe",
    b"\xbf",
    b"\xc0",
    b"\x82",
    b"\x7e\x013",
)
_SIZES = (b"", b"", b"\x20", b"\x3f\x06", b"\x3f\x25", b"\x3f\xe1\x1f")


def run(data: bytes) -> None:
    draw, reader, decoder = Draw(data), BlockReader(), Decoder(max_header_list_size=LARGEST)
    while draw:
        block = _block(draw)
        expected = _decoded(decoder, block)
        try:
            found = dict(reader.request(1, block))
        except ConnectionFault:
            assert expected is None
            return
        except StreamFault:
            continue
        assert found == expected


def _block(draw: Draw) -> bytes:
    if draw.byte() % 4 == 0:
        return draw.take(40)
    parts = [draw.choice(_PARTS) for _ in range(draw.byte() % 4)]
    return draw.choice(_SIZES) + BLOCK + b"".join(parts)


def _decoded(decoder: Decoder, block: bytes) -> dict[str, str] | None:
    try:
        fields = decoder.decode(block, raw=True)
    except (HPACKError, IndexError, ValueError):
        return None
    return {str(name, "latin-1"): str(value, "latin-1") for name, value in fields}
