"""What can be built, where it lies then, and the versions: those are in the go.mod of each folder of e2e/cluster/go.

What comes of a module lies in the user's cache, in a folder named by the digest of module and recipes.
"""

import hashlib
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from chimera_cluster import cache
from chimera_cluster.programs.go import ENVIRONMENT
from chimera_cluster.programs.recipes import Binary, Files, Recipe, Tests


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Modules and what is made of them.

    Attributes:
        modules: Folder of the modules.
        made: Folder of what was made of them.
        recipes: By the name of the module's folder.
    """

    modules: Path
    made: Path
    recipes: Mapping[str, tuple[Recipe, ...]]

    def folder(self, name: str) -> Path:
        """Return where a thing is once it is built."""
        module = self.modules / name
        digest = hashlib.sha256(repr((self.recipes[name], ENVIRONMENT)).encode())
        for path in sorted(module.iterdir()):
            digest.update(f"{path.name} {path.stat().st_size}\n".encode() + path.read_bytes())
        return self.made / f"{name}-{digest.hexdigest()[:16]}"

    def missing(self, names: Iterable[str]) -> list[str]:
        """Return those that are not built."""
        return [name for name in names if not self.folder(name).exists()]

    def build(self, name: str) -> Path:
        """Return the folder of a thing, built now unless it is there.

        Raises:
            ClusterError: Go is missing or failed.
        """

        def make(target: Path) -> None:
            for recipe in self.recipes[name]:
                recipe.make(self.modules / name, target)

        return cache.once(self.folder(name), make)

    def build_all(self, names: Iterable[str]) -> None:
        """Build things, with a line for each that was missing: its name, the seconds it took, where it is."""
        for name in self.missing(names):
            sys.stdout.write(f"{name:14}")
            sys.stdout.flush()
            started = time.monotonic()
            target = self.build(name)
            sys.stdout.write(f"{time.monotonic() - started:6.1f} s  {target}\n")


_CONTAINERD = "github.com/containerd/containerd/v2"
_GATEWAY = "github.com/envoyproxy/gateway"
_ISTIO = "istio.io/istio"
_HELM_3 = "helm.sh/helm/v3"
_PROMETHEUS = "github.com/prometheus/prometheus"
_COMPONENT = "k8s.io/component-base/version"

PROGRAMS = Catalog(
    modules=Path(__file__).resolve().parents[2] / "go",
    made=cache.HOME / "bin",
    recipes={
        "etcd": (Binary(name="etcd", package="go.etcd.io/etcd/server/v3"),),
        "kube": (
            Binary(
                name="kube",
                aliases=(
                    "kube-apiserver",
                    "kube-controller-manager",
                    "kube-proxy",
                    "kube-scheduler",
                    "kubectl",
                    "kubelet",
                ),
                version="k8s.io/kubernetes",
                # Without them what Kubernetes switches by its version goes wrong.
                variables=(
                    f"{_COMPONENT}.gitVersion={{version}}",
                    f"{_COMPONENT}.gitMajor={{major}}",
                    f"{_COMPONENT}.gitMinor={{minor}}",
                ),
            ),
        ),
        "containerd": tuple(
            Binary(
                name=name,
                package=f"{_CONTAINERD}/cmd/{name}",
                version=_CONTAINERD,
                variables=(f"{_CONTAINERD}/version.Version={{version}}",),
            )
            for name in ("containerd", "containerd-shim-runc-v2", "ctr")
        ),
        "coredns": (Binary(name="coredns"),),
        "pause": (Binary(name="pause"),),
        "echo": (Binary(name="echo"),),
        "crds": (
            Files(
                source="sigs.k8s.io/gateway-api-inference-extension",
                root="config/crd/bases",
                pattern="*_inferencepools.yaml",
            ),
        ),
        "gateways": (
            Files(source="sigs.k8s.io/gateway-api", root="config/crd/standard", pattern="*_*.yaml"),
            Files(source=_GATEWAY, root="charts/gateway-helm/charts/crds/crds/generated", pattern="*policies.yaml"),
            Files(source="istio.io/api", root="kubernetes", pattern="*.yaml"),
            Files(
                source="github.com/prometheus-operator/prometheus-operator",
                root="example/prometheus-operator-crd",
                pattern="*monitors.yaml",
            ),
        ),
        "h2spec": (Binary(name="h2spec", package="github.com/summerwind/h2spec/cmd/h2spec"),),
        "gateway": (Binary(name="gateway"),),
        "helm": (Binary(name="helm", package="helm.sh/helm/v4/cmd/helm"),),
        "helm3": (
            Binary(
                name="helm",
                package=f"{_HELM_3}/cmd/helm",
                version="k8s.io/client-go",
                # Without them it takes a cluster that it does not ask for one of 1.20; the client of 1.x is 0.x.
                variables=(
                    f"{_HELM_3}/pkg/chartutil.k8sVersionMajor=1",
                    f"{_HELM_3}/pkg/chartutil.k8sVersionMinor={{minor}}",
                ),
            ),
        ),
        "envoy-gateway": (
            Binary(name="envoy-gateway", package=f"{_GATEWAY}/cmd/envoy-gateway"),
            Files(source=_GATEWAY, root="charts/gateway-helm", folder="chart"),
        ),
        "kube-router": (
            Binary(name="kube-router", package="github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"),
        ),
        "istio": (
            *(
                # Without checks of messages that nobody calls here: they take minutes to compile.
                Binary(name=name, package=f"{_ISTIO}/pilot/cmd/{name}", tags=("disable_pgv",))
                for name in ("pilot-agent", "pilot-discovery")
            ),
            Files(source=_ISTIO, root="manifests/charts/base", folder="base"),
            Files(source=_ISTIO, root="manifests/charts/istio-control/istio-discovery", folder="istiod"),
            Files(source=_ISTIO, root="tools/packaging/common", pattern="envoy_bootstrap.json"),
        ),
        "gie-conformance": (
            Tests(name="gie-conformance"),
            Files(source="sigs.k8s.io/gateway-api-inference-extension/conformance", root="resources"),
            Binary(name="echo-basic", package="sigs.k8s.io/gateway-api/conformance/echo-basic"),
        ),
        "kwok": (Binary(name="kwok", package="sigs.k8s.io/kwok/cmd/kwok"),),
        "prometheus": tuple(
            # It finds what to scrape in Kubernetes; the SDKs of two dozen clouds stay out.
            Binary(name=name, package=f"{_PROMETHEUS}/cmd/{name}", tags=("remove_all_sd", "enable_kubernetes_sd"))
            for name in ("prometheus", "promtool")
        ),
    },
)

CONTROL_PLANE = ("etcd", "kube", "crds", "gateways", "kwok")
HELM = ("helm", "helm3")
PEERS = ("h2spec", "gateway")
NODE = ("etcd", "kube", "crds", "containerd", "coredns", "pause")
