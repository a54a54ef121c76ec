"""Keep one tenant's prompts out of another's reach in engines' prefix caches.

Whoever shares a prefix cache can tell from the time to the first token whether somebody else has sent a prompt
(vLLM's `cache_salt` is made against it). The salt is a digest of the tenant under a secret key, so that no tenant can
make another's.
"""

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from chimera_router.errors import ConfigError

LEAST_KEY = 16  # bytes; 128 bits are beyond guessing
_LONGEST_KEY = 64  # bytes; what blake2b takes
_SALT = 16  # bytes
_REMEMBERED = 10_000  # tenants


def reader(path: Path) -> Callable[[str], str]:
    """Return what makes a tenant's salt, by the key in a file.

    Raises:
        ConfigError: The file cannot be read, or its key is too short.
    """
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({type(error).__name__})") from error
    if len(key) < LEAST_KEY:
        raise ConfigError(f"{path}: the key must have at least {LEAST_KEY} bytes")

    @lru_cache(_REMEMBERED)
    def salt(tenant: str) -> str:
        digest = blake2b(tenant.encode(errors="surrogatepass"), digest_size=_SALT, key=key[:_LONGEST_KEY])
        return digest.hexdigest()

    return salt
