"""Programs of the distribution that a cluster or an image needs: found, or installed where that can be done."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from chimera_cluster.commands import output
from chimera_cluster.errors import ClusterError
from chimera_cluster.place import CNI_PLUGINS

# By program, the Debian package that has it.
NODE_TOOLS = {
    "ip": "iproute2",
    "ipset": "ipset",  # kube-router calls it, and so can be installed no more once tests run: there is no way out
    "iptables": "iptables",  # the network's portmap plugin calls it
    "mount": "mount",
    "nft": "nftables",  # kube-proxy calls it
    "nsenter": "util-linux",
    "runc": "runc",
    "sysctl": "procps",
    "unshare": "util-linux",
    f"{CNI_PLUGINS}/bridge": "containernetworking-plugins",
}
BASE_TOOLS = {"mmdebstrap": "mmdebstrap"}
BUILDER_TOOLS = {"buildah": "buildah"}

# Where administrators' programs are; the PATH of others does not always say so.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def require(tools: Mapping[str, str]) -> None:
    """Install what is missing, as root on a machine that has apt.

    Raises:
        ClusterError: Something is missing and cannot be installed here.
    """
    missing = {tool: package for tool, package in tools.items() if not _found(tool)}
    if not missing:
        return
    packages = sorted(set(missing.values()))
    if os.geteuid() or not shutil.which("apt-get"):
        raise ClusterError(f"missing: {', '.join(missing)}; as root on Debian: apt-get install {' '.join(packages)}")
    _install(packages)


def require_root() -> None:
    """Refuse to go on as anybody else.

    Raises:
        ClusterError: This process is not root's.
    """
    if os.geteuid():
        raise ClusterError(
            "namespaces, mounts and cgroups are root's: run this as root, or name a cluster in KUBECONFIG"
        )


def _found(tool: str) -> bool:
    return Path(tool).exists() if tool.startswith("/") else shutil.which(tool, path=PATH) is not None


def _install(packages: list[str]) -> None:
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    output(["apt-get", "update", "-qq"], environment=quiet)
    output(["apt-get", "install", "-qq", "--yes", "--no-install-recommends", *packages], environment=quiet)
