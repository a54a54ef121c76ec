"""What tests do to a cluster from outside of it."""

import itertools
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chimera_cluster.errors import ClusterError
from chimera_cluster.network import Network

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster as its administrator sees it, through kubectl.

    Attributes:
        kubeconfig: For whatever client a test prefers.
        network: Loads images, reaches services, restarts the node's programs.
    """

    kubeconfig: Path
    network: Network

    def kubectl(self, *arguments: str, given: str = "") -> str:
        """Return what kubectl prints.

        Args:
            arguments: Its own.
            given: What it reads from its input.

        Raises:
            ClusterError: It failed; with what it said.
        """
        done = subprocess.run(
            ["kubectl", *arguments],
            input=given,
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ClusterError(f"kubectl {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *arguments: str) -> dict[str, Any]:
        """Return what `kubectl get` finds, as data."""
        found: dict[str, Any] = json.loads(self.kubectl("get", "--output=json", *arguments))
        return found

    def apply(self, *documents: str | Mapping[str, Any], space: str = "") -> None:
        """Apply YAML, or objects as data, on the server's side.

        Args:
            documents: What is to be.
            space: The namespace, which no document then names otherwise.
        """
        where = [f"--namespace={space}"] if space else []
        text = "\n---\n".join(each if isinstance(each, str) else json.dumps(each) for each in documents)
        self.kubectl("apply", "--server-side", *where, "--filename=-", given=text)

    def await_rollout(self, workload: str, *, space: str = "default", seconds: int = 60) -> None:
        """Wait until all pods of a workload, as in deployment/NAME, are of its newest revision and ready.

        Raises:
            ClusterError: They are not in time.
        """
        self.kubectl("rollout", "status", workload, f"--namespace={space}", f"--timeout={seconds}s")

    def await_condition(self, thing: str, condition: str, *, space: str = "default", seconds: int = 60) -> None:
        """Wait for what `kubectl wait --for` understands.

        Raises:
            ClusterError: It does not come in time.
        """
        self.kubectl("wait", thing, f"--for={condition}", f"--namespace={space}", f"--timeout={seconds}s")

    @contextmanager
    def space(self, *, enforced: str = "restricted") -> Iterator[str]:
        """Give a new namespace, which goes afterwards with all that is in it.

        Args:
            enforced: The level of pod security that the namespace admits.
        """
        name = f"e2e-{os.getpid()}-{next(_numbers)}"
        self.kubectl("create", "namespace", name)
        self.kubectl("label", "namespace", name, f"pod-security.kubernetes.io/enforce={enforced}")
        try:
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false")
