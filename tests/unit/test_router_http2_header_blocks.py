"""Header blocks are read as the package hpack reads them, whether or not they are looked up."""

import pytest
from hpack import Encoder
from peers import BLOCK, FIELDS

from chimera_router.extproc.http2.errors import Code, ConnectionFault, StreamFault
from chimera_router.extproc.http2.header_blocks import LARGEST, BlockReader, literal


@pytest.fixture
def reader() -> BlockReader:
    return BlockReader()


def refusal(reader: BlockReader, *fields: tuple[str, str]) -> Code:
    with pytest.raises(StreamFault) as fault:
        reader.request(5, literal(fields))
    assert fault.value.stream == 5
    return fault.value.code


def test_equal_block_is_looked_up(reader: BlockReader) -> None:
    """The second of two equal blocks gives the very same headers."""
    first = reader.request(1, BLOCK)

    assert dict(first) == dict(FIELDS)
    assert reader.request(3, BLOCK) is first


def test_headers_cannot_be_changed(reader: BlockReader) -> None:
    """They are shared by every stream that opened with the block."""
    with pytest.raises(TypeError):
        reader.request(1, BLOCK)["x"] = "y"  # type: ignore[index]


def test_block_that_names_the_table_is_looked_up_while_that_stands(reader: BlockReader) -> None:
    """References mean what the table holds now, not what it held when an equal block came before."""
    block = BLOCK + b"\xbe"  # and the newest entry of the table
    reader.request(1, BLOCK + b"\x40\x01a\x011")
    assert reader.request(3, block)["a"] == "1"
    assert reader.request(5, block)["a"] == "1"

    reader.request(7, BLOCK + b"\x40\x01a\x012")

    assert reader.request(9, block)["a"] == "2"


def test_entry_that_comes_again_moves_the_others(reader: BlockReader) -> None:
    """A full table that gets its newest entry once more looks the same at its end, and is not."""
    older = BLOCK + b"\xbf"  # and the second entry
    reader.request(1, b"\x3f\x25" + BLOCK)  # a table of 68 bytes: two entries of 34
    reader.request(3, BLOCK + b"\x40\x01b\x012" + b"\x40\x01a\x011")
    assert reader.request(5, older)["b"] == "2"

    reader.request(7, BLOCK + b"\x40\x01a\x011")

    assert "b" not in reader.request(9, older)


def test_smaller_table_is_no_small_change(reader: BlockReader) -> None:
    """A block that resizes the table is not skipped because an equal one once found it of that size."""
    small, large = b"\x3f\x25" + BLOCK, b"\x3f\xe1\x1f" + BLOCK
    for block in (small, small, large, small):
        reader.request(1, block)
    for value in (b"1", b"2", b"3"):
        reader.request(1, BLOCK + b"\x40\x01a\x01" + value)

    with pytest.raises(ConnectionFault):
        reader.request(3, BLOCK + b"\xc0")  # the third entry, for which a small table has no room


def test_trailers_and_blocks_of_no_use_keep_the_table_in_step(reader: BlockReader) -> None:
    """What nobody looks at is read all the same."""
    reader.trailers(1, b"\x40\x01a\x011")
    reader.skip(b"\x40\x01b\x012")

    headers = reader.request(3, BLOCK + b"\xbe\xbf")

    assert (headers["a"], headers["b"]) == ("1", "2")


def test_last_of_repeated_headers_counts(reader: BlockReader) -> None:
    """Pseudo-headers must not be repeated; of others the last is taken."""
    assert reader.request(1, BLOCK + literal((("a", "1"), ("a", "2"))))["a"] == "2"
    assert refusal(reader, (":method", "POST"), (":method", "POST"), (":scheme", "http"), (":path", "/")) is (
        Code.PROTOCOL_ERROR
    )


@pytest.mark.parametrize(
    "wrong",
    [
        ("A", "1"),
        ("a b", "1"),
        ("a:", "1"),
        ("ä", "1"),
        ("", "1"),
        (":late", "1"),
        (":path", "/late"),
        (":status", "200"),
        ("connection", "close"),
        ("keep-alive", "1"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        ("a", "1\r\nb: 2"),
        ("a", "\0"),
    ],
)
def test_malformed_headers_are_a_fault_of_the_stream(reader: BlockReader, wrong: tuple[str, str]) -> None:
    """Names and values that HTTP/2 does not know are refused; so they are in trailers."""
    assert refusal(reader, *FIELDS, wrong) is Code.PROTOCOL_ERROR
    with pytest.raises(StreamFault):
        reader.trailers(1, literal((wrong,)))


@pytest.mark.parametrize("missing", [":method", ":scheme", ":path"])
def test_request_needs_its_pseudo_headers(reader: BlockReader, missing: str) -> None:
    """One that lacks one of them is refused, and so is an empty path."""
    assert refusal(reader, *(field for field in FIELDS if field[0] != missing)) is Code.PROTOCOL_ERROR
    assert refusal(reader, (":method", "POST"), (":scheme", "http"), (":path", "")) is Code.PROTOCOL_ERROR
    assert refusal(reader, (":method", "POST"), (":scheme", "http"), (":path", "/\n")) is Code.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x40\x01a\x7f\xd1\x1e" + b"b" * 4_000 + b"\xbe" * 100,  # 4 KB in the table, named a hundred times
        b"\x82" * (LARGEST // 32),  # every byte a header of 42
        literal((("a", "b" * 100),)) * 200,
    ],
    ids=["reference", "static", "literal"],
)
def test_bombs_end_the_connection(reader: BlockReader, bomb: bytes) -> None:
    """What grows beyond the largest list of headers is not built."""
    with pytest.raises(ConnectionFault) as fault:
        reader.request(1, bomb)
    assert fault.value.code is Code.ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    "garbage", [b"\xff" * 8, b"\x00\x05ab", b"\x80", b"\x3f\xff\xff\x7f", b"\x00\x81\xff\x00", b"\xbe"]
)
def test_garbage_ends_the_connection(reader: BlockReader, garbage: bytes) -> None:
    """A block that cannot be read leaves the two sides' tables apart."""
    with pytest.raises(ConnectionFault) as fault:
        reader.request(1, garbage)
    assert fault.value.code is Code.COMPRESSION_ERROR


def test_few_short_blocks_are_kept(reader: BlockReader) -> None:
    """What a peer says to be remembered is bounded, however many blocks it makes up."""
    encoder = Encoder()
    encoder.header_table_size = 0
    for n in range(1_000):
        reader.request(1, encoder.encode([*FIELDS, ("x", str(n))]))
    long = literal((*FIELDS, *(("x", "y" * 100) for _ in range(6))))

    assert reader.request(1, long) is not reader.request(1, long)
    assert len(reader._known) <= 64


def test_literal_is_what_it_says() -> None:
    """Blocks that are written are read as they were meant."""
    assert dict(BlockReader().request(1, literal(FIELDS))) == dict(FIELDS)
