"""Looking blocks up is decoding them: the headers are those of a decoder that reads every block."""

from hpack import Decoder, HPACKError
from hypothesis import given, settings
from hypothesis import strategies as st
from peers import BLOCK, FIELDS

from chimera_router.extproc.http2.errors import ConnectionFault, StreamFault
from chimera_router.extproc.http2.header_blocks import BlockReader, literal

KEPT = st.sampled_from([b"\x40\x01a\x011", b"\x40\x01b\x012", b"\x40\x01c\x00"])  # literals that both tables keep
RESIZED = st.sampled_from([b"\x3f\x06", b"\x3f\x25", b"\x3f\x47", b"\x3f\xe1\x1f"])  # to 37, 68, 102 and 4096 bytes
NAMED = st.sampled_from([b"\xbe", b"\xbf", b"\xc0"])  # the newest entries
BLOCKS = st.one_of(
    NAMED.map(lambda named: BLOCK + named),
    KEPT.map(lambda kept: BLOCK + kept),
    st.tuples(RESIZED, st.one_of(KEPT, st.just(b""))).map(lambda parts: parts[0] + BLOCK + parts[1]),
)


@settings(max_examples=500)
@given(st.lists(BLOCKS, max_size=30))
def test_blocks_mean_what_a_decoder_reads(blocks: list[bytes]) -> None:
    """In any order of new and repeated blocks, with a table that grows, shrinks and throws out."""
    reader, decoder = BlockReader(), Decoder()
    for block in blocks:
        try:
            expected = {str(name, "ascii"): str(value, "ascii") for name, value in decoder.decode(block, raw=True)}
        except HPACKError:
            expected = {}
        try:
            found = dict(reader.request(1, block))
        except ConnectionFault:
            found = {}
        assert found == expected
        if not found:
            return


@settings(max_examples=500)
@given(st.one_of(st.binary(max_size=60), st.builds(bytes.__add__, st.just(BLOCK), st.binary(max_size=60))))
def test_any_bytes_are_headers_or_a_fault(block: bytes) -> None:
    """Nothing but the two faults is raised, and what is read is a request."""
    try:
        headers = BlockReader().request(1, block)
    except (ConnectionFault, StreamFault):
        return
    assert headers.keys() >= {":method", ":scheme", ":path"}


@given(st.lists(st.tuples(st.from_regex("[a-z][a-z-]{0,19}", fullmatch=True), st.text("xyz é", max_size=40))))
def test_written_blocks_are_read_back(fields: list[tuple[str, str]]) -> None:
    """What `literal` writes is what is read, by name."""
    reserved = {"te", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
    written = [(name, value) for name, value in fields if name not in reserved]

    read = BlockReader().request(1, literal((*FIELDS, *written)))

    assert dict(read) == dict(FIELDS) | {name: value.encode().decode("latin-1") for name, value in written}
