"""The names a client may use for models, and their listing."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import msgspec

from chimera_router.errors import ConfigError, UnknownModel
from chimera_router.scheduling.types import Model

AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """One pool's names.

    Attributes:
        pool: The pool's own name, which asks for the full choice.
        virtual: All names that do.
        pins: Canonical name by every name that pins a model.
        adapters: Those of them that an engine knows as they are.
    """

    pool: str
    virtual: frozenset[str]
    pins: Mapping[str, str]
    adapters: tuple[str, ...] = ()

    @classmethod
    def of(cls, pool: str, models: Collection[Model], virtual: Iterable[str] = ()) -> Self:
        """Return the catalog of a pool.

        Raises:
            ConfigError: A name stands for two things.
        """
        names = frozenset((pool, AUTO, *virtual))
        pins: dict[str, str] = {}
        for model in models:
            for name in (model.name, *model.aliases, *model.adapters):
                if name in pins or name in names:
                    raise ConfigError(f"models: the name {name!r} stands for two things")
                pins[name] = model.name
        adapters = tuple(adapter for model in models for adapter in model.adapters)
        return cls(pool=pool, virtual=names, pins=pins, adapters=adapters)

    def resolve(self, name: str) -> str | None:
        """Return the canonical name of the model that a client's name pins; None asks for the full choice.

        Raises:
            UnknownModel: The name is not in the catalog.
        """
        if name in self.virtual:
            return None
        try:
            return self.pins[name]
        except KeyError:
            raise UnknownModel from None

    def served(self, name: str, model: str) -> str:
        """Return what an engine knows by a client's name: an adapter as it is, everything else as the model."""
        return name if name in self.adapters else model

    def listing(self) -> bytes:
        """Return OpenAI's model list: the pool first, then its members, then their adapters."""
        names = (self.pool, *dict.fromkeys(self.pins.values()), *self.adapters)
        return msgspec.json.encode({"object": "list", "data": [self._entry(name) for name in names]})

    def entry(self, name: str) -> bytes:
        """Return one model as OpenAI describes it.

        Raises:
            UnknownModel: The name is not in the catalog.
        """
        return msgspec.json.encode(self._entry(self.served(name, self.resolve(name) or name)))

    def _entry(self, name: str) -> dict[str, object]:
        return {"id": name, "object": "model", "created": 0, "owned_by": self.pool}
