"""A pod from which tests ask what only pods can reach."""

from restricted_pods import Manifest, container, pod

from chimera_cluster.cluster import Cluster

NAME = "client"
_STAYS = "import signal; print('here', flush=True); signal.pause()"


def client(image: str) -> Manifest:
    """Return a pod that says that it is here, and stays.

    Args:
        image: One that has Python.
    """
    return pod(NAME, container(image, command=["python", "-c", _STAYS]))


def ask(cluster: Cluster, space: str, program: str, *arguments: str) -> str:
    """Return what a program in Python prints in a namespace's client.

    Raises:
        ClusterError: It failed.
    """
    return cluster.kubectl("exec", NAME, f"--namespace={space}", "--", "python", "-c", program, *arguments)
