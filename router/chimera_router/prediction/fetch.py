"""Fetch an archive of predictors before a picker starts: `python -m chimera_router.prediction.fetch --url URL ...`."""

import argparse
import hashlib
import http.client
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from chimera_router.errors import BundleError
from chimera_router.prediction.unpacking import unpack

MOST_BYTES = 4 << 30  # of an archive; half of what may come out of it
SILENCE = 30.0  # seconds that a server may say nothing

_PIECE = 1 << 20  # bytes read at once
_FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch, check and unpack; return the exit code, 1 with one line where that fails. No URL is ever shown."""
    told = _parser().parse_args(arguments)
    try:
        fetch(told.url, sha256=told.sha256, folder=told.into)
    except BundleError as error:
        sys.stderr.write(f"chimera-router fetch: {error}\n")
        return _FAILED
    return 0


def fetch(url: str, *, sha256: str, folder: Path, most_bytes: int = MOST_BYTES) -> None:
    """Put what is in an archive into a folder, if the archive is the one that is expected.

    Args:
        url: Where it is, by HTTP or HTTPS.
        sha256: Its digest, in lower-case hex; of another one nothing is unpacked, and nothing is left.
        folder: Where to, in place of what is there.
        most_bytes: What the archive may have.

    Raises:
        BundleError: It cannot be had, is another one, or breaks a rule.
    """
    if not url.startswith(("http://", "https://")):
        raise BundleError("the archive's address must begin with https:// or http://")
    with tempfile.NamedTemporaryFile(suffix=".tar.gz") as archive:
        if _download(url, archive, most_bytes) != sha256:
            raise BundleError("the archive has another sha256 than is expected")
        folder.mkdir(parents=True, exist_ok=True)
        unpack(Path(archive.name), folder)


def _download(url: str, archive: IO[bytes], most_bytes: int) -> str:
    """Write what is at an address into a file; return its sha256."""
    digest, left = hashlib.sha256(), most_bytes
    try:
        with urllib.request.urlopen(url, timeout=SILENCE) as answer:  # noqa: S310 - the scheme was checked
            while piece := answer.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    raise BundleError(f"the archive has more than {most_bytes} bytes")
                digest.update(piece)
                archive.write(piece)
    except urllib.error.HTTPError as error:
        error.close()
        raise BundleError(f"the archive cannot be had (status {error.code})") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise BundleError(f"the archive cannot be had ({type(error).__name__})") from None
    archive.flush()
    return digest.hexdigest()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chimera_router.prediction.fetch", description=__doc__)
    parser.add_argument("--url", required=True, help="where the .tar.gz is")
    parser.add_argument("--sha256", required=True, help="its digest, in lower-case hex")
    parser.add_argument("--into", required=True, type=Path, metavar="DIR", help="folder for what is in it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
