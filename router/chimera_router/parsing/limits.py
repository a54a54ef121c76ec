"""What a client may send, and the cheap checks that come before any parsing."""

from dataclasses import dataclass

from chimera_router.errors import BodyTooLarge, InvalidRequest

_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps on a request.

    Attributes:
        max_body_bytes: Bytes of the body over all chunks; 16 MiB holds a million tokens of text.
        max_json_depth: Nesting of arrays and objects; tool schemas stay under 20, engines recurse.
        max_choices: Choices of `n`; each is a sequence in the engine's batch.
        max_output_tokens: Tokens of `max_tokens`; no engine's context is larger.
    """

    max_body_bytes: int = 16 * 1024 * 1024
    max_json_depth: int = 64
    max_choices: int = 16
    max_output_tokens: int = 1_000_000

    def check_size(self, size: int) -> None:
        """Raise BodyTooLarge when the body has passed the cap."""
        if size > self.max_body_bytes:
            raise BodyTooLarge(limit=self.max_body_bytes)

    def check_depth(self, body: bytes) -> None:
        """Raise InvalidRequest when the body nests deeper than the cap, without building anything."""
        if body.count(b"[") + body.count(b"{") > self.max_json_depth and _depth(body) > self.max_json_depth:
            raise InvalidRequest(f"The body nests deeper than {self.max_json_depth} levels")


def _depth(body: bytes) -> int:
    """Return the nesting of what stands between the strings, in a few passes that each run at memory speed."""
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    deepest = depth = 0
    for bracket in b"".join(unescaped.split(b'"')[::2]).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest
