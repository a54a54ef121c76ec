"""What a cluster is, beside what a pool wishes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from chimera_operator.rendering.kinds import Kind


class ParentKey(NamedTuple):
    """A Gateway."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The cluster, as far as rendering asks.

    Attributes:
        apis: Optional kinds that the API server has, as `group/version/Kind`.
        version: Major and minor version of the API server.
        controllers: `controllerName` of the class of each Gateway that the pool names; one that is missing here was not
            found.
        picker_image: Image of the picker, of the operator's own release.
        simulator_image: Image that has the engine simulator, of the same release.
        operator_namespace: Where the operator runs.
        operator_labels: Labels of its pods.
    """

    apis: frozenset[str]
    version: tuple[int, int]
    controllers: Mapping[ParentKey, str]
    picker_image: str
    simulator_image: str
    operator_namespace: str
    operator_labels: Mapping[str, str]

    def has(self, kind: Kind) -> bool:
        """Return whether the API server has an optional kind."""
        return str(kind) in self.apis
