"""Lists whose items are known by what they say, as the API server merges and checks them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from chimera_operator.api.document import broken_rule


@dataclass(frozen=True, slots=True)
class ListMap:
    """Marks a list of documents that are known by one of their fields: no two have the same.

    Two appliers may own items of one list, and none overwrites those of the other.
    """

    key: str = "name"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        kind = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [self.key]}
        return {**handler(core), **kind}

    def _checked(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        _check_unique((getattr(item, self.key) for item in items), below=f".{self.key}")
        return items


@dataclass(frozen=True, slots=True)
class ListSet:
    """Marks a list of values of which no two are the same."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core), "x-kubernetes-list-type": "set"}

    def _checked(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        _check_unique(items, below="")
        return items


def _check_unique(names: Iterable[Any], *, below: str) -> None:
    taken = set()
    for index, name in enumerate(names):
        if name in taken:
            raise broken_rule(f'must be unique, "{name}" is taken', at=f"[{index}]{below}")
        taken.add(name)
