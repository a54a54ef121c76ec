"""Run a command against a control plane of its own, with controllers, InferencePool and no nodes; $KUBECONFIG names it.

PYTHONPATH=tests/support python tests/controlplane/within.py python -m chimera_bench.operator_scale
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from clusters import connected
from control_planes import ControlPlane

from chimera_cluster.programs.catalog import PROGRAMS

CONTROLLERS = {
    "kube-api-qps": 1000,  # by default they ask 20 times a second, and take minutes for a thousand pools' pods
    "kube-api-burst": 1000,
    "controllers": "*,-endpoints-controller,-endpointslice-controller",  # pods on no node are more than these can take
}


def main(argv: list[str]) -> int:
    """Return what the command returned."""
    with tempfile.TemporaryDirectory() as folder:
        plane = ControlPlane(Path(folder))
        try:
            plane.start()
            asyncio.run(_install(plane))
            with plane.controller_manager(CONTROLLERS):
                return subprocess.run(
                    argv, check=False, env={**os.environ, "KUBECONFIG": str(plane.kubeconfig())}
                ).returncode
        finally:
            plane.stop()


async def _install(plane: ControlPlane) -> None:
    async with connected(plane.kubeconfig()) as cluster:
        await cluster.install([path.read_text() for path in PROGRAMS.folder("crds").glob("*.yaml")])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
