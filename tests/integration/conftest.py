"""What tests of real sockets share."""

from collections.abc import Iterator

import blocking
import pytest


@pytest.fixture
def nothing_blocks() -> Iterator[None]:
    """Fail the test if the picker makes a blocking call on the event loop."""
    with blocking.nothing_blocks():
        yield
