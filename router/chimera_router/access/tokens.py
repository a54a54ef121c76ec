"""Callers known by a file of tokens: whoever has one may have everything."""

import re
from collections.abc import Callable, Iterable
from hashlib import sha256
from hmac import compare_digest

from chimera_router.access.port import Verdict, Wanted
from chimera_router.errors import ConfigError

SHORTEST = 16  # characters; enough for 64 bits in hexadecimal, more than anybody guesses over a network

_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")  # what fits behind `Bearer`: RFC 6750, section 2.1


def parse(contents: bytes) -> frozenset[bytes]:
    """Return the digests of the tokens in a file: one a line, empty lines and those that begin with # aside.

    Raises:
        ConfigError: A line is no token, or there is none; the text has its number, never the line.
    """
    lines = ((number, line.strip()) for number, line in enumerate(contents.splitlines(), start=1))
    tokens = [(number, line) for number, line in lines if line and not line.startswith(b"#")]
    for number, token in tokens:
        if len(token) < SHORTEST or not _TOKEN.fullmatch(token):
            raise ConfigError(f"line {number}: a token has at least {SHORTEST} characters of A-Z a-z 0-9 - . _ ~ + / =")
    if not tokens:
        raise ConfigError("must hold at least one token")
    return frozenset(sha256(token).digest() for _, token in tokens)


class KnownTokens:
    """Lets in who bears a known token.

    Args:
        digests: Returns what is known now.
    """

    def __init__(self, digests: Callable[[], Iterable[bytes]]) -> None:
        self._digests = digests

    async def judge(self, token: str, _wanted: Wanted) -> Verdict:
        """Compare with every token: how long that takes tells nothing of any."""
        digest = sha256(token.encode()).digest()
        same = [compare_digest(digest, known) for known in self._digests()]
        return Verdict.ADMITTED if any(same) else Verdict.UNAUTHENTICATED
