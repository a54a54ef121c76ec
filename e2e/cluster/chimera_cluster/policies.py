"""NetworkPolicies that hold: the network of pods enforces none, so kube-router does for a while."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from chimera_cluster.commands import output
from chimera_cluster.place import NODE, SERVICE_RANGE, Place

PROGRAM = "kube-router"
_FLAGS = {
    "run-firewall": "true",
    "run-router": "false",
    "run-service-proxy": "false",
    "enable-cni": "false",
    "hostname-override": NODE,
    "service-cluster-ip-range": SERVICE_RANGE,
    "health-port": "0",
}


@contextmanager
def enforced(place: Place) -> Iterator[None]:
    """Have policies enforced until the block ends; this process has to be in the cluster's network.

    Raises:
        ClusterError: What that needs is missing.
    """
    command = [PROGRAM, f"--kubeconfig={place.kubeconfig}", *(f"--{key}={value}" for key, value in _FLAGS.items())]
    with (place.logs / f"{PROGRAM}.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as router:
        try:
            yield
        finally:
            router.terminate()
            router.wait()
            # Its own way to remove its rules ends with a panic. Nobody else has rules of this kind here.
            output(["iptables", "--flush"])
