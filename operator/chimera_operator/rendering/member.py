"""A model in its pool."""

from dataclasses import dataclass

from chimera_operator.api.accelerators import Accelerator
from chimera_operator.api.model import ModelSpec
from chimera_operator.api.names import MODEL_LABEL, POOL_LABEL, model_object_name
from chimera_operator.api.pool import HeterogeneousModelPool

CPU = "cpu"
"""What replicas without accelerators run on, in the label of their pods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A model in its pool.

    Attributes:
        pool: The pool.
        model: The model.
        path: Where the model stands in the document, for errors.
    """

    pool: HeterogeneousModelPool
    model: ModelSpec
    path: str

    def name(self, part: str = "") -> str:
        """Return the name of an object of the model; `part` tells those of one kind apart."""
        return model_object_name(self.pool.metadata.name, self.model.name, part)

    def deployment_name(self, accelerator: Accelerator | None) -> str:
        """Return the name of the Deployment of its replicas on one alternative."""
        return self.name(accelerator.label if accelerator else CPU)

    @property
    def selector(self) -> dict[str, str]:
        """Labels by which its pods are found, on whatever they run."""
        return {POOL_LABEL: self.pool.metadata.name, MODEL_LABEL: self.model.name}


def members(pool: HeterogeneousModelPool) -> tuple[Member, ...]:
    """Return the models of a pool, in its order."""
    return tuple(
        Member(pool=pool, model=model, path=f"spec.models[{index}]") for index, model in enumerate(pool.spec.models)
    )
