"""What a cluster looked like when a test failed."""

from pathlib import Path

from chimera_cluster.cluster import Cluster
from chimera_cluster.errors import ClusterError

# By file, what kubectl says of everything.
_PAGES = {
    "objects.txt": ("get", "pods,services,deployments,events", "--all-namespaces", "--output=wide"),
    "pods.yaml": ("get", "pods", "--all-namespaces", "--output=yaml"),
    "nodes.txt": ("describe", "nodes"),
}


def collect(cluster: Cluster, folder: Path) -> None:
    """Write into a folder what all pods are and what their containers said, those that ended before included."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, arguments in _PAGES.items():
        (folder / name).write_text(_said(cluster, *arguments))
    for pod in cluster.get("pods", "--all-namespaces")["items"]:
        space, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        logs = ("logs", name, f"--namespace={space}", "--all-containers", "--prefix", "--tail=2000")
        (folder / f"{space}.{name}.log").write_text(_said(cluster, *logs))
        if any(each["restartCount"] for each in pod.get("status", {}).get("containerStatuses", [])):
            (folder / f"{space}.{name}.previous.log").write_text(_said(cluster, *logs, "--previous"))


def _said(cluster: Cluster, *arguments: str) -> str:
    """Return what kubectl prints, or why it does not: of what failed some may be missing."""
    try:
        return cluster.kubectl(*arguments)
    except ClusterError as error:
        return str(error)
