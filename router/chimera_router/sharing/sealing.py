"""Names and values that tell the server, and whoever else can read it, nothing.

What is shared is found by digests of what clients said and by ids that clients chose. All pickers of a pool hold one
secret: names on the server are digests keyed with it, so that nobody can try out texts against them, and values are
encrypted and bound to their place, so that nobody can read, forge or exchange them.
"""

import os
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

NAME_BYTES = 16  # two names meet by chance once in 2^64 pairs
NONCE_BYTES = 12  # of AES-GCM-SIV (RFC 8452), which stays safe if one is drawn twice


class Seal:
    """Makes names, and seals and opens values, for one pool.

    Args:
        secret: The same for all pickers of the pool.
        pool: Its name; pools never meet, whatever secret they have.
    """

    def __init__(self, secret: bytes, *, pool: str) -> None:
        root = blake2b(pool.encode(), key=blake2b(secret).digest()).digest()
        self._names = _key(root, b"names")
        self._values = AESGCMSIV(_key(root, b"values"))

    def workflow(self, tenant: str, program_id: str) -> bytes:
        """Return the name of a workflow."""
        tenant_, id_ = (text.encode(errors="surrogatepass") for text in (tenant, program_id))
        return self._name(b"w%d:" % len(tenant_), tenant_, id_)

    def digest(self, key: bytes) -> bytes:
        """Return the name of a digest that leads to workflows."""
        return self._name(b"d", key)

    def seal(self, value: bytes, place: bytes) -> bytes:
        """Return a value that only this pool's pickers can open, and only where it was put."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._values.encrypt(nonce, value, place)

    def opened(self, sealed: bytes, place: bytes) -> bytes | None:
        """Return the value in a sealed one; None where nobody of this pool has sealed it for this place."""
        try:
            return self._values.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        except (InvalidTag, ValueError):
            return None

    def _name(self, *parts: bytes) -> bytes:
        return blake2b(b"".join(parts), digest_size=NAME_BYTES, key=self._names).digest()


def _key(root: bytes, purpose: bytes) -> bytes:
    return blake2b(purpose, digest_size=32, key=root).digest()
