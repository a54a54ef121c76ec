"""What a client may send."""

from chimera_operator.api.document import Document
from chimera_operator.api.scalars import Bytes, Count, Seconds


class Limits(Document):
    """Caps on requests, in place of the router's own."""

    max_body_bytes: Bytes | None = None
    """Bytes of a body over all its pieces. Unset: the router's default, 16 MiB."""
    max_header_bytes: Count | None = None
    """Bytes of all headers. Unset: the router's default, 64 KiB."""
    max_json_depth: Count | None = None
    """Nesting of arrays and objects in a body. Unset: the router's default, 64."""
    max_choices: Count | None = None
    """Answers that a request may ask for. Unset: the router's default, 16."""
    max_output_tokens: Count | None = None
    """Output tokens that a request may ask for. Unset: the router's default, a million."""
    max_reading: Count | None = None
    """Bodies that are read at once; more are refused with 429. Unset: the router's default, 10,000."""
    max_reading_bytes: Bytes | None = None
    """Bytes kept of them, all together. Unset: the router's default, 1 GiB."""
    first_byte_seconds: Seconds | None = None
    """Seconds from the headers to the first byte of a body; 408 beyond. Unset: the router's default, 30."""
    body_seconds: Seconds | None = None
    """Seconds from the headers to its last byte. Unset: the router's default, 180."""
