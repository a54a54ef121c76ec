"""What planning decides for a model, and rendering carries out."""

from dataclasses import dataclass
from typing import Literal

from chimera_operator.api.accelerators import Accelerator

Strategy = Literal["Surge", "InPlace", "Recreate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Replicas of a model on one of its alternatives: one Deployment.

    Attributes:
        accelerator: What they run on; None: CPUs.
        replicas: How many.
        strategy: How they are replaced when their template changes.
    """

    accelerator: Accelerator | None
    replicas: int
    strategy: Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was decided for a model.

    Attributes:
        profile: Name of the engine profile in force.
        placements: At least one, also where there are no replicas.
        wished: Replicas of its PooledModel that the operator sets; None leaves them to whoever scales.
    """

    profile: str
    placements: tuple[Placement, ...]
    wished: int | None
