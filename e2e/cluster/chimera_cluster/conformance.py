"""GIE's conformance suite, with Chimera's picker wherever the suite has its own behind the gateway."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from chimera_cluster.cluster import Cluster
from chimera_cluster.errors import ClusterError
from chimera_cluster.gateways import ISTIO
from chimera_cluster.images import making, names
from chimera_cluster.place import DNS_SERVICE
from chimera_cluster.programs.catalog import PROGRAMS

NAME = "gie-conformance"
IMAGES_NEEDED = ("router", "echo-basic")

Manifest = dict[str, Any]

_SPACE = "inference-conformance-app-backend"
_ECHO, _PICKER = "/echo-basic:", "/lwepp:"  # what marks the images of the suite's engines and pickers
_EXT_PROC, _MANAGEMENT = 9002, 9090
_RULES = "chimera-pickers"
_FOLDER = "/etc/chimera"
# Any engine that holds no request back; the suite says itself where each request goes.
_COEFFICIENTS = {
    "baseStepMs": 7,
    "stepPerSequenceUs": 28,
    "prefillUsPerToken": 20,
    "maxNumSeqs": 4096,
    "kvTokens": "100000000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run is to be.

    Attributes:
        report: File for the suite's report.
        test: The one test to run; empty: all.
        skipped: Tests that are not run.
    """

    report: Path
    test: str = ""
    skipped: Sequence[str] = ()

    def flags(self, fixtures: Path) -> list[str]:
        """Return the flags of the suite, whose fixtures are in a folder."""
        said = {
            "test.v": "true",
            "test.timeout": "60m",
            "fixtures": str(fixtures),
            "resolver": f"{DNS_SERVICE}:53",
            "gateway-class": ISTIO.gateway_class,
            "run-test": self.test,
            "skip-tests": ",".join(self.skipped),
            "report-output": str(self.report.absolute()),
            "organization": "istio",
            "project": "istio",
            "url": "https://istio.io",
            "version": "1.31-alpha, Envoy 1.40, Chimera's endpoint picker",
        }
        return [f"-{name}={value}" for name, value in said.items() if value]


def run(cluster: Cluster, images: Path, asked: Asked) -> None:
    """Run the suite, saying what it says.

    Args:
        cluster: That has the gateway.
        images: Folder of the archives.
        asked: What is to be run.

    Raises:
        ClusterError: A test failed.
    """
    for name in IMAGES_NEEDED:
        cluster.network.load(images / f"{name}.tar")
    suite = PROGRAMS.folder(NAME)
    router = names.of_part("router", making.release().version)
    asked.report.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="chimera-fixtures-") as folder:
        documents = fixtures(yaml.safe_load_all((suite / "base.yaml").read_text()), router)
        (Path(folder) / "base.yaml").write_text(yaml.safe_dump_all(documents))
        done = subprocess.run([str(suite / NAME), *asked.flags(Path(folder))], check=False)
    sys.stdout.write(f"the suite's report: {asked.report}\n")
    if done.returncode:
        raise ClusterError("a test of the suite failed")


def fixtures(documents: Iterable[Manifest | None], router: str) -> Iterator[Manifest]:
    """Yield the suite's fixtures with Chimera's picker in the place of its own, and what that one needs besides.

    Args:
        documents: The suite's.
        router: Image of the picker.
    """
    pools = []
    for document in filter(None, documents):
        for container in _containers(document):
            if _ECHO in container["image"]:
                container["image"] = names.own("echo-basic")
            if _PICKER in container["image"]:
                pools.append(_replace(document, container, router))
        if document["kind"] == "Service" and "endpoint-picker" in document["metadata"]["name"]:
            yield _tls(document["metadata"]["name"])
        yield document
    yield _rules(pools)


def _containers(document: Manifest) -> Sequence[Manifest]:
    deploys = document["kind"] == "Deployment"
    found: Sequence[Manifest] = document["spec"]["template"]["spec"]["containers"] if deploys else ()
    return found


def _replace(deployment: Manifest, container: Manifest, router: str) -> str:
    """Make a picker Chimera's, and return the pool that it is for."""
    arguments = container["args"]
    pool: str = arguments[arguments.index("--pool-name") + 1]
    flags = (f"--config={_FOLDER}/{pool}.json", f"--grpc-port={_EXT_PROC}", f"--management-port={_MANAGEMENT}")
    container |= {
        "image": router,
        "args": [*flags, "--conformance-headers"],
        "ports": [{"containerPort": _EXT_PROC}, {"containerPort": _MANAGEMENT}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": _MANAGEMENT}, "periodSeconds": 2},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": _MANAGEMENT}, "initialDelaySeconds": 30},
        "volumeMounts": [{"name": _RULES, "mountPath": _FOLDER}],
    }
    deployment["spec"]["template"]["spec"]["volumes"] = [{"name": _RULES, "configMap": {"name": _RULES}}]
    return pool


def _rules(pools: Iterable[str]) -> Manifest:
    """Return what each picker reads: its pool, of the one model that the suite asks for."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _RULES, "namespace": _SPACE},
        "data": {f"{pool}.json": json.dumps(_rule(pool)) for pool in pools},
    }


def _rule(pool: str) -> Mapping[str, object]:
    model = {"name": "conformance-fake-model", "coefficients": _COEFFICIENTS, "descriptor": {"generalScore": 0.5}}
    found = {"kubernetes": {"namespace": _SPACE, "inferencePool": pool}}
    return {"pool": pool, "models": [model], "discovery": found}


def _tls(service: str) -> Manifest:
    """Return what tells Istio that a picker serves with a certificate of its own making, as the suite's own does."""
    port = {"port": {"number": _EXT_PROC}, "tls": {"mode": "SIMPLE", "insecureSkipVerify": True}}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": service, "namespace": _SPACE},
        "spec": {"host": service, "trafficPolicy": {"portLevelSettings": [port]}},
    }
