"""What the template of an engine's pod is made from, and nothing else: whatever changes it starts new pods."""

from dataclasses import dataclass

from chimera_operator.api.accelerators import Accelerator
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.member import Member
from chimera_operator.rendering.profiles.types import EngineProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """What the template of an engine's pod is made from.

    Attributes:
        member: The model in its pool.
        profile: The engine profile in force.
        accelerator: What it runs on; None: CPUs.
        facts: The cluster.
    """

    member: Member
    profile: EngineProfile
    accelerator: Accelerator | None
    facts: Facts
