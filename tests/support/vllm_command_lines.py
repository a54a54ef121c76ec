"""What the operator starts a version of vLLM with: the words behind `vllm`, and vLLM's own variables."""

from collections.abc import Iterator, Mapping
from typing import Any

from pool_documents import model_document, pool_document
from rendered_pools import ENVOY, SAMPLES, choices, environment_of, in_cluster, of_kind, pod_of

from chimera_operator.rendering.kinds import DEPLOYMENT
from chimera_operator.rendering.manifest import ENGINE
from chimera_operator.rendering.pool import render


def runs_vllm(document: Mapping[str, Any]) -> bool:
    """Return whether any model of a pool is served by vLLM."""
    return any(_serves_vllm(document["spec"], model) for model in document["spec"]["models"])


def command_lines(document: Mapping[str, Any], profile: str) -> Iterator[tuple[str, ...]]:
    """Yield the words behind `vllm` of each engine of a pool that runs vLLM, under a profile."""
    for container in _containers(document, profile):
        if container["command"][0] == "vllm":
            yield (*container["command"][1:], *container["args"])


def variables(document: Mapping[str, Any], profile: str) -> frozenset[str]:
    """Return the variables of vLLM's own that the engines of a pool get."""
    names = (name for container in _containers(document, profile) for name in environment_of(container))
    return frozenset(name for name in names if name.startswith("VLLM_"))


def _containers(document: Mapping[str, Any], profile: str) -> Iterator[dict[str, Any]]:
    pool = in_cluster(_pinned(document, profile))
    for each in of_kind(render(pool, choices(pool), ENVOY), DEPLOYMENT):
        if each["metadata"]["labels"]["app.kubernetes.io/component"] == ENGINE:
            yield from pod_of(each)["containers"]


def _pinned(document: Mapping[str, Any], profile: str) -> dict[str, Any]:
    """Return a pool whose vLLM engines have the profile."""
    spec = document["spec"]
    models = [
        {**model, "engine": {**model.get("engine", {}), "profile": profile}} if _serves_vllm(spec, model) else model
        for model in spec["models"]
    ]
    return {**document, "spec": {**spec, "models": models}}


def _serves_vllm(spec: Mapping[str, Any], model: Mapping[str, Any]) -> bool:
    kinds = (each.get("engine", {}).get("type") for each in (model, spec.get("defaults", {})))
    return next((kind for kind in kinds if kind), "VLLM") == "VLLM"


EVERYTHING = pool_document(
    model_document(
        "small",
        aliases=["tiny"],
        source={"huggingFace": {"repo": "org/small", "revision": "main"}},
        engine={
            "kvTokens": 1,
            "maxModelLen": 4096,
            "maxNumSeqs": 32,
            "gpuMemoryUtilization": 0.5,
            "kvCacheDtype": "fp8",
            "prefixCaching": False,
            "priorityScheduling": True,
        },
        loras=[{"name": "tickets", "source": {"huggingFace": {"repo": "org/tickets"}}}],
        parallelism={"tensor": 2, "pipeline": 2},
    ),
    model_document("large", source={"s3": {"uri": "s3://a/b"}}),
)
"""Every field that becomes a flag."""

POOLS = {"everything": EVERYTHING, **{name: each for name, each in SAMPLES.items() if runs_vllm(each)}}
"""By name: the pools whose engines are vLLM's."""
