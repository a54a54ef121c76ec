"""Accelerators: how a replica asks for them, and how much memory they have."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from chimera_operator.api.accelerators import Accelerator
from chimera_operator.api.core import Toleration
from chimera_operator.api.model import ModelSpec
from chimera_operator.rendering.coefficients import PROFILES
from chimera_operator.rendering.models.accelerators import resource_name

MEMORY_GB: Mapping[str, float] = {
    **{name: profile.memory_gb for name, profile in PROFILES.items()},
    "nvidia-t4": 16,
    "nvidia-v100-16gb": 16,
    "nvidia-v100-32gb": 32,
    "nvidia-a10": 24,
    "nvidia-a10g": 24,
    "nvidia-a30": 24,
    "nvidia-a100-40gb": 40,
    "nvidia-l4": 24,
    "nvidia-l40": 48,
    "nvidia-l40s": 48,
    "nvidia-rtx-4090": 24,
    "nvidia-rtx-5090": 32,
    "nvidia-rtx-6000-ada": 48,
    "nvidia-rtx-pro-6000": 96,
    "nvidia-h100-nvl": 94,
    "nvidia-h20": 96,
    "nvidia-gh200-96gb": 96,
    "nvidia-b200": 180,
    "nvidia-b300": 288,
    "amd-mi210": 64,
    "amd-mi250": 64,  # of one of the card's two dies, which is what nodes count
    "amd-mi300x": 192,
    "amd-mi325x": 256,
    "amd-mi355x": 288,
    "intel-gaudi2": 96,
    "intel-gaudi3": 128,
}
"""Gigabytes (10⁹) of memory of each class of card, from the makers' data sheets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one replica needs of a node.

    Attributes:
        resource: What nodes count the cards by; None: they are claimed, and nodes do not say how many are free.
        count: How many, all on one node.
        selector: Labels that the node must have.
        tolerations: Taints that the replica bears.
    """

    resource: str | None
    count: int
    selector: Mapping[str, str]
    tolerations: tuple[Toleration, ...]


def need(model: ModelSpec, accelerator: Accelerator) -> Need:
    """Return what a replica of a model needs on an alternative."""
    return Need(
        resource=resource_of(accelerator),
        count=accelerator.count or model.parallelism.cards,
        selector={**model.pod.node_selector, **accelerator.node_selector},
        tolerations=(*model.pod.tolerations, *accelerator.tolerations),
    )


def resource_of(accelerator: Accelerator) -> str | None:
    """Return the resource that nodes count such cards by, or None where they are claimed."""
    if accelerator.resource_claim_template:
        return None
    return resource_name(accelerator)


def memory_gb(accelerator: Accelerator) -> float | None:
    """Return the gigabytes (10⁹) of memory of one card or MIG slice, or None where nobody has told."""
    if accelerator.mig and (size := re.search(r"\.(\d+)gb", accelerator.mig)):
        return float(size[1])
    return MEMORY_GB.get(accelerator.class_)
