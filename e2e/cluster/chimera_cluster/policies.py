"""NetworkPolicies that hold: the network of pods enforces none, so kube-router does for a while."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from chimera_cluster.commands import output
from chimera_cluster.place import NODE, SERVICE_RANGE, Place

PROGRAM = "kube-router"
_BRIDGED = "net.bridge.bridge-nf-call-iptables"  # pods of one node meet on a bridge, which rules see only with this
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
    output(["sysctl", "--quiet", "--write", f"{_BRIDGED}=1"])
    with (place.logs / f"{PROGRAM}.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as router:
        try:
            yield
        finally:
            router.terminate()
            router.wait()
            output(
                ["iptables", "--flush"]
            )  # its own removal of rules ends with a panic; nobody else has any of this kind
            output(["sysctl", "--quiet", "--write", f"{_BRIDGED}=0"])
