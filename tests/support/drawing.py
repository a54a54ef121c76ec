"""Choices from a fuzzer's bytes."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Reads bytes from the front, each of which decides something; past their end every choice is the first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def __bool__(self) -> bool:
        return self._place < len(self._data)

    def byte(self) -> int:
        """Return the next byte."""
        self._place += 1
        return self._data[self._place - 1] if self._place <= len(self._data) else 0

    def below(self, limit: int) -> int:
        """Return a number from 0 to below a limit, of as many bytes as it takes."""
        number = self.byte()
        for _ in range((limit - 1).bit_length() // 8):
            number = number << 8 | self.byte()
        return number % limit

    def choice(self, options: Sequence[T]) -> T:
        """Return one of some things."""
        return options[self.byte() % len(options)]

    def take(self, most: int) -> bytes:
        """Return so many bytes at most, as they are."""
        size = self.below(most + 1)
        self._place += size
        return self._data[self._place - size : self._place]

    def rest(self) -> bytes:
        """Return all that is left."""
        left, self._place = self._data[self._place :], len(self._data)
        return left
