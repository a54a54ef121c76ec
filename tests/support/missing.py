"""What a test needs and this machine lacks."""

import os
from typing import NoReturn

import pytest


def absent(said: str) -> NoReturn:
    """Skip the test, saying why; in CI, where everything is there, fail it."""
    if os.environ.get("CI"):
        pytest.fail(said)
    pytest.skip(said)
