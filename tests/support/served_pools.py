"""Pools of simulated engines on a real cluster, with a gateway in front, and what is seen of them."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

from chimera_cluster.cluster import Cluster
from chimera_cluster.errors import ClusterError

ENTRANCE = "entrance"
ENVOY_GATEWAY, ISTIO = "envoy", "istio"  # classes of Gateways
GATEWAYS = "envoy-gateway-system"  # where Envoy Gateway runs the Envoys of all Gateways; Istio runs each beside its own

Manifest = dict[str, Any]
Status = dict[str, Any]


def gateway(gateway_class: str) -> Manifest:
    """Return the Gateway that is the entrance of pools."""
    listener = {"name": "http", "protocol": "HTTP", "port": 80}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": ENTRANCE},
        "spec": {"gatewayClassName": gateway_class, "listeners": [listener]},
    }


def model(name: str, *, replicas: int = 1, token_ms: float = 20, score: float = 0.5, **fields: object) -> Manifest:
    """Return a model of a pool.

    Args:
        name: Of the model.
        replicas: Of its engine.
        token_ms: Milliseconds of a token, however many answers run beside it.
        score: Share of questions that it answers right; the better one gets what is left to the picker.
        fields: More of them, or others in place of these.
    """
    return {
        "name": name,
        "descriptor": {"generalScore": score, "parametersB": 8},
        "coefficients": {"baseStepMs": token_ms, "stepPerSequenceUs": 1, "prefillUsPerToken": 1},
        "scaling": {"replicas": replicas},
        **fields,
    }


def pool(name: str, *models: Manifest, pickers: int = 2, **spec: object) -> Manifest:
    """Return a pool behind the entrance; it asks for little, so that several fit on one small node."""
    picker = {"replicas": pickers, "resources": {"requests": {"cpu": "200m", "memory": "256Mi"}}}
    defaults = {
        "engine": {"type": "Simulator", "kvTokens": 4_000_000, "maxNumSeqs": 1024},
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
    }
    return {
        "apiVersion": "chimera.dev/v1alpha1",
        "kind": "HeterogeneousModelPool",
        "metadata": {"name": name},
        "spec": {
            "defaults": defaults,
            "models": list(models),
            "picker": picker,
            "gateway": {"parentRefs": [{"name": ENTRANCE}]},
            **spec,
        },
    }


@contextmanager
def entrance(cluster: Cluster, space: str, gateway_class: str) -> Iterator[str]:
    """Give HOST:PORT by which a namespace's entrance can be reached from outside of pods."""
    where, label = GATEWAYS, f"gateway.envoyproxy.io/owning-gateway-namespace={space}"
    if gateway_class == ISTIO:
        where, label = space, f"gateway.networking.k8s.io/gateway-name={ENTRANCE}"
    (envoy,) = cluster.get("services", f"--selector={label}", f"--namespace={where}")["items"]
    with cluster.network.reach(where, envoy["metadata"]["name"], 80) as address:
        yield address


@dataclass(frozen=True, slots=True)
class Served:
    """A pool that is in a cluster.

    Attributes:
        cluster: Where.
        space: Its namespace.
        name: Its name.
        gateway_class: Of the Gateway in front of it.
    """

    cluster: Cluster
    space: str
    name: str
    gateway_class: str = ENVOY_GATEWAY

    def status(self) -> Status:
        """Return what its operator says of it; empty before that has looked."""
        found: Status = self.cluster.get("hmp", self.name, f"--namespace={self.space}").get("status", {})
        return found

    def condition(self, kind: str) -> str:
        """Return whether a condition holds: True, False or Unknown."""
        conditions = self.status().get("conditions", [])
        return next((str(each["status"]) for each in conditions if each["type"] == kind), "Unknown")

    def model(self, name: str) -> Status:
        """Return what is said of a model."""
        models: list[Status] = self.status().get("models", [])
        return next((each for each in models if each["name"] == name), {})

    def await_status(self, what: str, holds: Callable[[Status], bool], *, seconds: float = 90) -> float:
        """Wait until a status is as it should be, and return how long that took.

        Raises:
            AssertionError: It is not in time; with the status.
        """
        started = time.monotonic()
        while not holds(status := self.status()):
            if time.monotonic() - started > seconds:
                raise AssertionError(f"{what} took more than {seconds} s: {json.dumps(status, indent=1)}")
            time.sleep(0.3)
        return time.monotonic() - started

    def await_ready(self, *, seconds: float = 120) -> float:
        """Wait until every model and every picker serves and nothing is being replaced; return how long that took."""
        return self.await_status("to be ready", settled, seconds=seconds)

    def change(self, **spec: object) -> None:
        """Change fields of the spec; lists are replaced as a whole."""
        document = json.dumps({"spec": spec})
        where = f"--namespace={self.space}"
        self.cluster.kubectl("patch", "hmp", self.name, where, "--type=merge", f"--patch={document}")

    def models(self) -> list[Manifest]:
        """Return the models of the spec."""
        found: list[Manifest] = self.cluster.get("hmp", self.name, f"--namespace={self.space}")["spec"]["models"]
        return found

    def change_model(self, name: str, **fields: object) -> None:
        """Change fields of one model."""
        self.change(models=[{**each, **fields} if each["name"] == name else each for each in self.models()])

    def pods(self, **labels: str) -> list[str]:
        """Return the names of its pods that are not about to end, all or those with labels of chimera.dev."""
        wanted = ",".join(f"chimera.dev/{key}={value}" for key, value in {"pool": self.name, **labels}.items())
        found = self.cluster.get("pods", f"--namespace={self.space}", f"--selector={wanted}")["items"]
        return [each["metadata"]["name"] for each in found if "deletionTimestamp" not in each["metadata"]]

    def pickers(self) -> list[str]:
        """Return the names of its pickers' pods."""
        engines = set(self.pods()) - {name for name in self.pods() if "-picker-" in name}
        return [name for name in self.pods() if name not in engines]

    def kill(self, pod: str) -> None:
        """Kill a pod at once, without a warning."""
        where = f"--namespace={self.space}"
        self.cluster.kubectl("delete", "pod", pod, where, "--grace-period=0", "--force", "--wait=false")

    @contextmanager
    def entrance(self) -> Iterator[str]:
        """Give the URL by which clients outside of pods reach it through its gateway."""
        with entrance(self.cluster, self.space, self.gateway_class) as address:
            yield f"http://{address}"


def settled(status: Status) -> bool:
    """Return whether a status says that everything serves and nothing moves."""
    conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
    quiet = (conditions.get("Ready"), conditions.get("Progressing"), conditions.get("Degraded"))
    return quiet == ("True", "False", "False")


@contextmanager
def applied(cluster: Cluster, space: str, document: Manifest, gateway_class: str = ENVOY_GATEWAY) -> Iterator[Served]:
    """Give a pool that is ready, behind a gateway that is; both go with their namespace."""
    cluster.apply(gateway(gateway_class), document, space=space)
    served = Served(cluster, space, document["metadata"]["name"], gateway_class)
    cluster.await_condition(f"gateway/{ENTRANCE}", "condition=Programmed", space=space, seconds=120)
    served.await_ready()
    yield served


@dataclass(frozen=True, slots=True)
class Look:
    """A status at a moment.

    Attributes:
        at: Seconds of the monotonic clock.
        status: What was said.
    """

    at: float
    status: Mapping[str, Any]


@contextmanager
def watched(served: Served) -> Iterator[list[Look]]:
    """Give a list that gets the pool's status each second."""
    looks: list[Look] = []
    done = Event()

    def look() -> None:
        while not done.wait(1):
            try:
                looks.append(Look(time.monotonic(), served.status()))
            except ClusterError:  # while the API server is away
                continue

    thread = Thread(target=look)
    thread.start()
    try:
        yield looks
    finally:
        done.set()
        thread.join()
