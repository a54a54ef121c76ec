"""What the README says of a cluster, done literally."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chimera_cluster.cluster import Cluster
from chimera_cluster.images.parts import PARTS

pytestmark = pytest.mark.timeout(500)

ROOT = Path(__file__).resolve().parents[2]
HEADING = "## Serve a pool in a cluster"
REGISTRY = "registry.example.com/chimera"  # of the README, where the reader puts another one, too


def commands() -> str:
    """Return the block of commands below the heading."""
    found = re.search(rf"{HEADING}\n.*?```\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found is not None
    assert REGISTRY in found[1]
    return found[1].replace(REGISTRY, "localhost")


@pytest.fixture
def bare(cluster: Cluster, gateway_class: str, image: Callable[[str], str]) -> Iterator[dict[str, str]]:
    """Return the environment of a user whose cluster has gateways and images, but no Chimera; the release stays."""
    assert gateway_class
    for part in PARTS:
        image(part)
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    removal = ["helm", "uninstall", "chimera", "--namespace=chimera-system", "--ignore-not-found", "--wait"]
    subprocess.run(removal, env=environment, check=True)
    yield environment
    cluster.kubectl("delete", "--ignore-not-found", f"--filename={ROOT / 'manifests' / 'quickstart'}")


def test_three_commands_lead_to_a_streamed_answer(bare: dict[str, str]) -> None:
    """The last of them prints a completion in pieces that is complete."""
    script = f"set -euo pipefail\n{commands()}"

    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=bare, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    events = re.findall(r"^data: (.*)$", done.stdout, re.MULTILINE)
    assert events[-1] == "[DONE]"
    choices = [choice for each in events[:-1] for choice in json.loads(each)["choices"]]
    assert len(choices) > 2
    assert choices[-1]["finish_reason"] in {"stop", "length"}
