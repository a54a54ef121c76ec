"""The `HeterogeneousModelPool`: several models behind one endpoint, and how requests are spread over them."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from chimera_operator.api.core import PoolMeta
from chimera_operator.api.document import Breach, Document, Rule, rule
from chimera_operator.api.pool_spec import PoolSpec
from chimera_operator.api.scalars import PATTERN_RULES, POOL_NAME
from chimera_operator.api.status import PoolStatus

FULL_CHOICE = "auto"
"""The name that asks any pool for the full choice, as the pool's own name does."""


class HeterogeneousModelPool(Document):
    """Several language models of different size and price behind one endpoint."""

    api_version: Literal["chimera.dev/v1alpha1"]
    """Group and version of the resource."""
    kind: Literal["HeterogeneousModelPool"]
    """Kind of the resource."""
    metadata: PoolMeta
    """Name of the pool."""
    spec: PoolSpec
    """The desired pool."""
    status: PoolStatus | None = None
    """What the operator observed of it; written by the operator only."""

    server_rules: ClassVar = (
        # Metadata has no schema of its own at the API server.
        Rule(sentence=f"metadata.name {PATTERN_RULES[POOL_NAME]}", cel=f"self.metadata.name.matches('{POOL_NAME}')"),
    )

    @rule(
        f"no model, alias, adapter or virtual model may be called {FULL_CHOICE} or as the pool is",
        cel=f"['{FULL_CHOICE}', self.metadata.name].all(taken, !self.spec.models.exists(m, m.name == taken || "
        "has(m.aliases) && taken in m.aliases || has(m.loras) && m.loras.exists(lora, lora.name == taken)) && "
        "!(has(self.spec.routing.virtualModels) && taken in self.spec.routing.virtualModels))",
    )
    def _reserved_names_are_free(self) -> Iterator[Breach]:
        for path, name in self.spec.names():
            if name in {FULL_CHOICE, self.metadata.name}:
                yield Breach(f"spec.{path}", f'must be unique, "{name}" is taken')
