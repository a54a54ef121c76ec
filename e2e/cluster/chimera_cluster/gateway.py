"""A gateway in the cluster of this machine, with the definitions of Gateway API and InferencePool."""

import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from chimera_cluster.cluster import Cluster
from chimera_cluster.commands import output
from chimera_cluster.programs.catalog import PROGRAMS

MANIFESTS = Path(__file__).parent / "manifests"

_INFERENCE, _GATEWAY_API, _HELM = "crds", "gateways", "helm"  # of the catalogue of programs


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart of a gateway, and what is other than in its values.

    Attributes:
        folder: Of it, in what is built for the gateway.
        release: What Helm calls it.
        flags: Of Helm.
        blanks: What its publisher fills into `values.tmpl.yaml`, where that is in the place of its values.
    """

    folder: str
    release: str
    flags: tuple[str, ...] = ()
    blanks: Mapping[str, str] = field(default_factory=dict)

    def values(self, template: str) -> str:
        """Return the chart's values from their template."""
        return Template(template).substitute(self.blanks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What a gateway is made of.

    Attributes:
        name: Of what is built for it, and of the command that installs it.
        title: What people call it.
        images: That it needs.
        space: Its namespace.
        charts: In the order in which they are installed.
        gateway_class: The GatewayClass that it then serves.
        manifest: YAML that is applied after the charts.
        definitions: Folder of its own custom resources' definitions, in what is built for it, where no chart has them.
    """

    name: str
    title: str
    images: tuple[str, ...]
    space: str
    charts: tuple[Chart, ...]
    gateway_class: str
    manifest: Path | None = None
    definitions: str = ""

    @property
    def programs(self) -> tuple[str, ...]:
        """What of the catalogue has to be built for it."""
        return (_INFERENCE, _GATEWAY_API, self.name, _HELM)


def install(gateway: Gateway, cluster: Cluster, images: Path) -> None:
    """Install one, or what has changed of it, and wait until it serves its GatewayClass.

    Args:
        gateway: Which.
        cluster: Where.
        images: Folder of the archives.

    Raises:
        ClusterError: Something of it cannot be installed, or does not become ready.
    """
    started = time.monotonic()
    for name in gateway.images:
        cluster.network.load(images / f"{name}.tar")
    _define(gateway, cluster)
    for chart in gateway.charts:
        _helm(gateway, chart)
    if gateway.manifest:
        cluster.apply(gateway.manifest.read_text())
    served = f"gatewayclass/{gateway.gateway_class}"
    cluster.await_condition(served, "create")
    cluster.await_condition(served, "condition=Accepted")
    sys.stdout.write(f"{time.monotonic() - started:5.1f} s  {gateway.title}\n")


def _define(gateway: Gateway, cluster: Cluster) -> None:
    """Define what the gateway serves: the same for each, so that several can be in one cluster."""
    paths = [
        *PROGRAMS.folder(_INFERENCE).glob("*.yaml"),
        *PROGRAMS.folder(_GATEWAY_API).glob("gateway.networking.k8s.io_*.yaml"),
    ]
    if gateway.definitions:
        paths += (PROGRAMS.folder(gateway.name) / gateway.definitions).glob("*.yaml")
    for path in paths:
        cluster.apply(path.read_text())


def _helm(gateway: Gateway, chart: Chart) -> None:
    with tempfile.TemporaryDirectory(prefix="chimera-chart-") as folder:
        copy = Path(folder) / "chart"
        shutil.copytree(PROGRAMS.folder(gateway.name) / chart.folder, copy)
        template = copy / "values.tmpl.yaml"
        if template.exists():
            (copy / "values.yaml").write_text(chart.values(template.read_text()))
        where = [chart.release, str(copy), f"--namespace={gateway.space}", "--create-namespace"]
        output(["helm", "upgrade", "--install", *where, *chart.flags, "--wait", "--timeout=180s"])
