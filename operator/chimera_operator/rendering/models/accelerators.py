"""How a pod asks for its accelerators."""

from collections.abc import Mapping

from chimera_operator.api.accelerators import Accelerator
from chimera_operator.rendering.manifest import Manifest
from chimera_operator.rendering.member import Member
from chimera_operator.rendering.pods import resources

CARDS = "nvidia.com/gpu"
"""Resource by which NVIDIA's device plugin counts whole cards; of MIG slices it is `nvidia.com/mig-PROFILE`."""


def engine_resources(member: Member, accelerator: Accelerator | None, rank: int) -> Manifest:
    """Return the resources of the container of one copy of the weights: each has cards of its own."""
    asked = resources(member.model.resources)
    if accelerator is None:
        return asked
    if accelerator.resource_claim_template:
        return {**asked, "claims": [{"name": _claim_name(rank)}]}
    parallelism = member.model.parallelism
    cards = str(parallelism.tensor * parallelism.pipeline)
    return {**asked, "limits": {**asked.get("limits", {}), resource_name(accelerator): cards}}


def resource_claims(accelerator: Accelerator | None, copies: int) -> list[Manifest]:
    """Return the claims of a pod, one for each copy of the weights."""
    template = accelerator.resource_claim_template if accelerator else None
    if template is None:
        return []
    return [{"name": _claim_name(rank), "resourceClaimTemplateName": template.name} for rank in range(copies)]


def node_labels(member: Member, accelerator: Accelerator | None) -> Mapping[str, str]:
    """Return the labels of nodes that a pod may run on."""
    return {**member.model.pod.node_selector, **(accelerator.node_selector if accelerator else {})}


def _claim_name(rank: int) -> str:
    return f"accelerator-{rank}"


def resource_name(accelerator: Accelerator) -> str:
    """Return the resource by which nodes count such cards, where they are not claimed."""
    if accelerator.resource:
        return accelerator.resource
    return f"nvidia.com/mig-{accelerator.mig}" if accelerator.mig else CARDS
