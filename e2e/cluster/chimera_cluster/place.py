"""Where a cluster is: its folder on the machine, and addresses that only its own network has."""

from dataclasses import dataclass
from pathlib import Path

NODE = "node"
NODE_ADDRESS = "10.230.0.1"
API_PORT = 6443
POD_RANGE = "10.244.0.0/16"
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"  # Kubernetes takes the first address of the range
DNS_SERVICE = "10.96.0.10"
API_SERVER = f"https://{NODE_ADDRESS}:{API_PORT}"

CNI_PLUGINS = "/usr/lib/cni"  # where Debian puts them

# Below the root of each hierarchy of cgroups; the kubelet puts its own tree there.
CGROUP = "chimera-cluster"


@dataclass(frozen=True, slots=True)
class Place:
    """A cluster's folder, which goes when the cluster ends.

    Attributes:
        folder: Everything that the cluster writes is in it.
    """

    folder: Path = Path("/var/lib/chimera-cluster")

    @property
    def certificates(self) -> Path:
        """What the components show each other."""
        return self.folder / "certificates"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.kubeconfig_of("admin")

    def kubeconfig_of(self, user: str) -> Path:
        """Return the kubeconfig of a component."""
        return self.folder / f"{user}.kubeconfig"

    @property
    def containerd(self) -> Path:
        """The socket that runs containers."""
        return self.folder / "containerd.sock"

    @property
    def logs(self) -> Path:
        """What each component says, in a file of its name."""
        return self.folder / "logs"

    @property
    def process(self) -> Path:
        """Says which process keeps the cluster."""
        return self.folder / "process"
