"""Protobuf's wire format, as far as a message that passes once for every token has to be cut and put together by hand.

Reading and writing such a message with generated classes costs several times as much; everything rarer uses them.
"""

_ONE_BYTE = tuple(bytes((number,)) for number in range(0x80))
_LONGEST = 5  # bytes of a length; messages are far below 2**35


class Malformed(Exception):  # noqa: N818 - never leaves the codec
    """The bytes are not what the fast way understands."""


def varint(number: int) -> bytes:
    """Return a number as protobuf writes it."""
    if number < 0x80:
        return _ONE_BYTE[number]
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(tag: bytes, data: bytes) -> bytes:
    """Return a field of bytes, or a message inside a message."""
    return b"".join((tag, varint(len(data)), data))


def extent(message: bytes, place: int) -> tuple[int, int]:
    """Return where the data of a field begins and ends whose length stands at `place`.

    Raises:
        Malformed: The message ends before.
    """
    size = shift = 0
    for index in range(place, min(place + _LONGEST, len(message))):
        byte = message[index]
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            start, end = index + 1, index + 1 + size
            if end > len(message):
                break
            return start, end
        shift += 7
    raise Malformed
