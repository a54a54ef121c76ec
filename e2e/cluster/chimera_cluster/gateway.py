"""Envoy Gateway in the cluster of this machine, with the definitions of Gateway API and InferencePool."""

import shutil
import sys
import tempfile
import time
from pathlib import Path
from string import Template

from chimera_cluster.cluster import Cluster
from chimera_cluster.commands import output
from chimera_cluster.images import envoy, names
from chimera_cluster.programs.catalog import PROGRAMS

NAME = "envoy-gateway"  # of its program, its image and the command that installs it
PROGRAMS_NEEDED = ("crds", NAME, "helm")
IMAGES_NEEDED = (NAME, envoy.NAME)
SPACE = "envoy-gateway-system"
CLASS = "envoy"

_MANIFEST = Path(__file__).parent / "manifests" / "envoy-gateway.yaml"


def install(cluster: Cluster, images: Path) -> None:
    """Install it, or what has changed of it, and wait until it serves GatewayClass `envoy`.

    Args:
        cluster: Where.
        images: Folder of the archives.

    Raises:
        ClusterError: Something of it cannot be installed, or does not become ready.
    """
    started = time.monotonic()
    for name in IMAGES_NEEDED:
        cluster.network.load(images / f"{name}.tar")
    for path in PROGRAMS.folder("crds").glob("*.yaml"):
        cluster.apply(path.read_text())
    with tempfile.TemporaryDirectory(prefix="chimera-chart-") as folder:
        chart = Path(folder) / "chart"
        shutil.copytree(PROGRAMS.folder(NAME) / "chart", chart)
        (chart / "values.yaml").write_text(values((chart / "values.tmpl.yaml").read_text()))
        _helm(chart)
    cluster.apply(_MANIFEST.read_text())
    cluster.await_condition(f"gatewayclass/{CLASS}", "condition=Accepted")
    sys.stdout.write(f"{time.monotonic() - started:5.1f} s  Envoy Gateway\n")


def values(template: str) -> str:
    """Return the chart's values: its own are a template, which its release fills in."""
    image = names.own(NAME)
    return Template(template).substitute(GatewayImage=image, GatewayImagePullPolicy="IfNotPresent")


def _helm(chart: Path) -> None:
    where = [NAME, str(chart), f"--namespace={SPACE}", "--create-namespace"]
    # Spreads a gateway's endpoints over zones by a webhook; there is one node.
    settings = ["--set=topologyInjector.enabled=false"]
    output(["helm", "upgrade", "--install", *where, *settings, "--wait", "--timeout=180s"])
