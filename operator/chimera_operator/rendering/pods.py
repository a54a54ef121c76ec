"""What all pods of a pool have in common."""

from collections.abc import Mapping
from typing import Any

from chimera_operator.api.core import Resources, Toleration
from chimera_operator.api.pod import Pod
from chimera_operator.rendering.manifest import Manifest, filled


def pod_spec(pod: Pod, *, service_account: str, spread: Mapping[str, str], **more: Any) -> Manifest:
    """Return the spec of a pod.

    Args:
        pod: What it needs to fit into the cluster.
        service_account: Of pods that name none.
        spread: Labels of the pods among which it is spread.
        **more: Its other fields; what is empty is left out.
    """
    return filled(
        {
            "serviceAccountName": pod.service_account_name or service_account,
            # A Service called `vllm` would set VLLM_PORT, on which vLLM ends.
            "enableServiceLinks": False,
            "priorityClassName": pod.priority_class_name,
            "imagePullSecrets": [{"name": ref.name} for ref in pod.image_pull_secrets],
            "topologySpreadConstraints": [_spread(key, spread) for key in pod.topology_spread],
            **more,
        }
    )


def tolerations(*lists: tuple[Toleration, ...]) -> list[Manifest]:
    """Return tolerations as pods have them."""
    return [toleration.model_dump(by_alias=True, exclude_none=True) for some in lists for toleration in some]


def resources(asked: Resources) -> Manifest:
    """Return the resources of a container; nothing where nothing is asked."""
    return filled({"requests": dict(asked.requests), "limits": dict(asked.limits)})


def _spread(key: str, labels: Mapping[str, str]) -> Manifest:
    return {
        "topologyKey": key,
        "maxSkew": 1,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": dict(labels)},
        "matchLabelKeys": ["pod-template-hash"],  # of one revision: those of the last one are on their way out
    }
