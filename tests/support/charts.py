"""Helm, and the chart that ships, for tests of both; `python tests/support/charts.py` writes manifests/install.yaml."""

import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import built_programs
import yaml
from golden_manifests import Dumper

from chimera_cluster.programs.catalog import PROGRAMS

ROOT = Path(__file__).resolve().parents[2]
CHART, INSTALL = ROOT / "charts" / "chimera", ROOT / "manifests" / "install.yaml"
RELEASE, NAMESPACE = "chimera", "chimera-system"

MONITORING = tuple(f"monitoring.coreos.com/v1/{kind}" for kind in ("PodMonitor", "ServiceMonitor", "PrometheusRule"))
"""What a cluster serves where Prometheus' operator is."""

EVERYTHING: dict[str, Any] = {
    "commonLabels": {"team": "serving"},
    "image": {"digest": f"sha256:{'0' * 64}"},
    "global": {"imageRegistry": "registry.example.com/chimera"},
    "imagePullSecrets": [{"name": "pull"}],
    "pickerAccess": {"metricsReaders": [{"kind": "ServiceAccount", "namespace": "monitoring", "name": "prometheus"}]},
    "podAnnotations": {"note": "any"},
    "podLabels": {"tier": "control"},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "control", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "system-cluster-critical",
    "extraArgs": ["--log-level=debug"],
    "extraEnv": [{"name": "TZ", "value": "UTC"}],
    "extraVolumes": [{"name": "tmp", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "tmp", "mountPath": "/scratch"}],
    "metrics": {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "grafanaDashboards": {"enabled": True, "namespace": "monitoring", "annotations": {"folder": "Chimera"}},
    "extraObjects": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-more"}},
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}-text"}\n',
    ],
}
"""Values that bring everything that the chart can bring."""

Manifest = dict[str, Any]


class HelmError(Exception):
    """Helm refuses; its text is Helm's own."""


@dataclass(frozen=True, slots=True)
class Helm:
    """One Helm, which shares nothing with the user's own.

    Attributes:
        program: Its file.
        folder: Where it keeps what it keeps.
        kubeconfig: Of the cluster that it talks to; None where it talks to none.
    """

    program: Path
    folder: Path
    kubeconfig: Path | None = None

    def __call__(self, *arguments: str, values: Mapping[str, Any] | None = None) -> str:
        """Return what Helm prints.

        Args:
            *arguments: Of its command line.
            values: For the chart, in place of its defaults.

        Raises:
            HelmError: It refuses.
        """
        told = []
        if values is not None:
            file = self.folder / "values.yaml"
            file.write_text(yaml.safe_dump(dict(values)))
            told = ["--values", str(file)]
        homes = {f"HELM_{name}_HOME": str(self.folder / name) for name in ("CACHE", "CONFIG", "DATA")}
        environment = {**os.environ, **homes, "KUBECONFIG": str(self.kubeconfig or os.devnull)}
        command = [self.program, *arguments, *told]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise HelmError(done.stderr)
        return done.stdout

    def rendered(self, values: Mapping[str, Any] | None = None, *flags: str) -> list[Manifest]:
        """Return the objects that the chart becomes."""
        argv = ("template", RELEASE, str(CHART), "--namespace", NAMESPACE)
        text = self(*argv, *flags, values=values)
        return [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]

    def notes(self, values: Mapping[str, Any] | None = None, *apis: str) -> str:
        """Return what it tells a person who installs the chart into a cluster that serves these kinds."""
        map_of_notes = {**(values or {}), "extraObjects": [_NOTES]}
        text = of_kind(self.rendered(map_of_notes, *served(apis)), "ConfigMap")["notes"]["data"]["text"]
        return str(text)


_NOTES = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
data:
  text: |
    {{- include (print $.Template.BasePath "/NOTES.txt") . | nindent 4 }}
"""


def served(apis: Iterable[str]) -> list[str]:
    """Return the flags that tell Helm which kinds a cluster serves."""
    return [f"--api-versions={api}" for api in apis]


def built(version: str) -> Path:
    """Return the file of a Helm; skip the test, in CI fail it, where it was not built."""
    built_programs.require([version], "helm")
    return PROGRAMS.folder(version) / "helm"


def of_kind(manifests: Iterable[Manifest], kind: str) -> dict[str, Manifest]:
    """Return the objects of a kind by their names."""
    return {each["metadata"]["name"]: each for each in manifests if each["kind"] == kind}


def plain(helm: Helm) -> str:
    """Return the plain install: what the chart becomes by its defaults, but for definitions, test and Helm's labels."""
    manifests = helm.rendered({"crds": {"enabled": False}, "test": {"enabled": False}})
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    for each in manifests:
        for labelled in (each, each.get("spec", {}).get("template", {})):
            for label in ("helm.sh/chart", "app.kubernetes.io/managed-by"):
                labelled.get("metadata", {}).get("labels", {}).pop(label, None)
    options = {"sort_keys": False, "default_flow_style": None, "width": 120}
    return _HEAD + yaml.dump_all([namespace, *manifests], Dumper=Dumper, explicit_start=True, **options)


_HEAD = """\
# The operator without Helm: what charts/chimera becomes by its defaults. Made by `python tests/support/charts.py`.
# The definitions come first, and both from the server's side:
#   kubectl apply --server-side --filename manifests/crds
#   kubectl apply --server-side --filename manifests/install.yaml
# Its images have no registry; docs/install.md says how to name one.
"""


def main() -> None:
    """Write the plain install."""
    with tempfile.TemporaryDirectory() as folder:
        INSTALL.write_text(plain(Helm(built("helm"), Path(folder))))


if __name__ == "__main__":
    main()
