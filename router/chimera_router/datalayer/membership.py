"""Which endpoints an InferencePool and its pods make, and why a pod makes none."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from chimera_router.datalayer.objects import InferencePool, Pod
from chimera_router.scheduling.types import Endpoint

MODEL_LABEL = "chimera.dev/model"

# Which of the pool's ports a pod serves, as `8000,8001`. The first that is there counts, as for llm-d's pickers.
ACTIVE_PORTS = ("llm-d.ai/active-ports", "inference.networking.k8s.io/active-ports")


class Standing(StrEnum):
    """What a target port of a selected pod is to the pool."""

    ENDPOINT = "endpoint"
    UNREADY = "unready"
    TERMINATING = "terminating"
    INACTIVE = "inactive"  # the pod's annotation leaves it out
    UNLABELLED = "unlabelled"  # in a pool of several models
    UNKNOWN_MODEL = "unknown_model"  # the RouterConfig does not name it


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """What becomes of a pool's pods.

    Attributes:
        endpoints: In the order of the pods' names and of their ports.
        counts: Target ports of pods by their standing.
    """

    endpoints: tuple[Endpoint, ...]
    counts: Mapping[Standing, int]


NOBODY = Membership(endpoints=(), counts=dict.fromkeys(Standing, 0))


def members(pool: InferencePool, pods: Iterable[Pod], models: Collection[str]) -> Membership:
    """Return the endpoints that the pods make, each target port of each pod one: `POD`, or `POD-rank-N` of several.

    Args:
        pool: Says which of the pods it selects, and their ports.
        pods: Any pods of its namespace.
        models: Of the RouterConfig; where there is one only, pods need not name it.
    """
    counts: Counter[Standing] = Counter(dict.fromkeys(Standing, 0))
    endpoints: list[Endpoint] = []
    for pod in sorted(filter(lambda each: _selected(each, pool), pods), key=lambda each: each.metadata.name):
        model = pod.metadata.labels.get(MODEL_LABEL) or _only(models)
        active = _active(pod, pool.ports)
        for rank, port in enumerate(pool.ports):
            standing = _standing(pod, model, models) if port in active else Standing.INACTIVE
            counts[standing] += 1
            if standing is Standing.ENDPOINT:
                name = _name(pod, rank, ranks=len(pool.ports))
                endpoints.append(Endpoint(name=name, address=_address(pod, port), model=model))
    return Membership(endpoints=tuple(endpoints), counts=counts)


def _selected(pod: Pod, pool: InferencePool) -> bool:
    return pool.selector.items() <= pod.metadata.labels.items()


def _only(models: Collection[str]) -> str:
    """Return the pool's one model; empty where it has several."""
    return next(iter(models)) if len(models) == 1 else ""


def _standing(pod: Pod, model: str, models: Collection[str]) -> Standing:
    if pod.terminating:
        return Standing.TERMINATING
    if not model:
        return Standing.UNLABELLED
    if model not in models:
        return Standing.UNKNOWN_MODEL
    return Standing.ENDPOINT if pod.ready else Standing.UNREADY


def _active(pod: Pod, ports: tuple[int, ...]) -> Collection[int]:
    """Return the ports that a pod serves; a word in its annotation that is no number names none."""
    for key in ACTIVE_PORTS:
        named = pod.metadata.annotations.get(key)
        if named is not None:
            words = {word.strip() for word in named.split(",")}
            return [port for port in ports if str(port) in words]
    return ports


def _name(pod: Pod, rank: int, *, ranks: int) -> str:
    return pod.metadata.name if ranks == 1 else f"{pod.metadata.name}-rank-{rank}"


def _address(pod: Pod, port: int) -> str:
    ip = pod.status.ip
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
