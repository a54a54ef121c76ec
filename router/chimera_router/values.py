"""Values that are made for every request: frozen for the type checker, and cheap to make.

A frozen dataclass takes three times as long to make as a plain one, and a decision makes dozens. So nothing but mypy
keeps these from being changed; nobody may.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, dataclass_transform, overload

Cls = TypeVar("Cls")


@overload
def value(cls: type[Cls]) -> type[Cls]: ...
@overload
def value(*, kw_only: bool = False) -> Callable[[type[Cls]], type[Cls]]: ...
@dataclass_transform(frozen_default=True)
def value(cls: type[Cls] | None = None, *, kw_only: bool = False) -> type[Cls] | Callable[[type[Cls]], type[Cls]]:
    """Make a class a value: a dataclass with slots that compares and hashes by its fields."""

    def made(cls: type[Cls]) -> type[Cls]:
        return dataclass(slots=True, kw_only=kw_only, unsafe_hash=True)(cls)

    return made if cls is None else made(cls)
