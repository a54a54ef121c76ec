"""Just enough of HTTP/1.1 to send many requests and to answer them: one message at a time, bodies counted, not kept.

Whoever sends waits for the answer before it sends again, so nothing follows a message on its connection. No body here
has an empty line of CR and LF in it, so in a chunked one only its end looks like its end.
"""

from dataclasses import dataclass

_HEAD_END = b"\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"
_ENDINGS = (b"}", b"data: [DONE]\n\n")  # of a JSON object, of a stream of events
_TAIL = 64  # bytes kept: the longest ending and what chunked coding puts around it


@dataclass(slots=True)
class Message:
    """One message as it comes.

    Attributes:
        head: Its first line and headers, in lower case; empty until they are complete.
        size: Bytes of the body so far, what chunked coding adds included.
        tail: The last of them.
    """

    head: bytes = b""
    size: int = 0
    tail: bytes = b""
    _before: bytes = b""
    _length: int | None = None

    def feed(self, data: bytes) -> bool:
        """Take what a read brought; return whether the message is complete."""
        if not self.head:
            data = self._feed_head(data)
            if not self.head:
                return False
        self.size += len(data)
        self.tail = (self.tail + data)[-_TAIL:] if len(data) < _TAIL else data[-_TAIL:]
        return self.tail.endswith(_LAST_CHUNK) if self._length is None else self.size >= self._length

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.head[9:12])

    @property
    def intact(self) -> bool:
        """Whether the body ends as answers of engines do."""
        return self.tail.removesuffix(b"\r\n" + _LAST_CHUNK).endswith(_ENDINGS)

    def header(self, name: str) -> str:
        """Return a header's value; empty where it is missing."""
        _, found, rest = self.head.partition(b"\r\n" + name.encode() + b":")
        return rest.partition(b"\r\n")[0].strip().decode() if found else ""

    def _feed_head(self, data: bytes) -> bytes:
        """Take more of the head; return what follows it."""
        self._before += data
        head, end, rest = self._before.partition(_HEAD_END)
        if end:
            self.head, self._before = head.lower(), b""
            chunked = self.header("transfer-encoding") == "chunked"
            self._length = None if chunked else int(self.header("content-length") or 0)
        return rest


def request(method: str, path: str, body: bytes = b"", *, headers: str = "") -> bytes:
    """Return a request; `headers` are lines that each end with CR and LF."""
    return b"".join((head(method, path, len(body), headers=headers), body))


def head(method: str, path: str, length: int, *, headers: str = "") -> bytes:
    """Return a request up to its body."""
    lines = f"{method} {path} HTTP/1.1\r\nhost: pool\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n"
    return f"{lines}{headers}\r\n".encode()


def answer(body: bytes, *, content_type: str, headers: str = "", status: str = "200 OK") -> bytes:
    """Return an answer in one piece."""
    lines = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
    return lines.encode() + body


def chunk(data: bytes) -> bytes:
    """Return a piece of a body in chunked coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = _LAST_CHUNK
