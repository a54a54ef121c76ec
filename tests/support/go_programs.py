"""Build what the tests need from Go modules, once for a user: `make controlplane` and `make peers` run this file.

Every folder of tests/go is a module that pins one thing to build. What comes of it lies in the user's
cache, in a folder named by the digest of module and recipe; whoever finds that folder finds it whole.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

MODULES = Path(__file__).resolve().parents[1] / "go"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chimera" / "bin"

# Static, without the paths and the revision of this checkout, by the Go that is here.
ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-trimpath -buildvcs=false", "GOTOOLCHAIN": "local"}


class Recipe(Protocol):
    """How a module becomes files. Its repr is part of the digest."""

    def make(self, module: Path, target: Path) -> None:
        """Fill the target folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """A program.

    Attributes:
        name: Of the file.
        package: What is built: the module's own package, or one of a module that it requires with a `tool` line.
        aliases: Names by which one binary is several programs.
        stamp: Module whose version the program says is its own; it must follow Kubernetes' way. Empty: none.
    """

    name: str
    package: str = "."
    aliases: tuple[str, ...] = ()
    stamp: str = ""

    def make(self, module: Path, target: Path) -> None:
        """Compile and link."""
        flags = f"-s -w {self._version(module)}"
        _go(module, "build", f"-ldflags={flags}", "-o", str(target / self.name), self.package)
        for alias in self.aliases:
            (target / alias).symlink_to(self.name)

    def _version(self, module: Path) -> str:
        """Return the linker's flags for the version; without it Kubernetes' switches by version go wrong."""
        if not self.stamp:
            return ""
        version = _go(module, "list", "-m", "-f", "{{.Version}}", self.stamp).strip()
        major, minor, _ = version.removeprefix("v").split(".", 2)
        values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
        return " ".join(f"-X k8s.io/component-base/version.{key}={value}" for key, value in values.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Files that a module carries beside its code.

    Attributes:
        source: The module that has them.
        pattern: Which of its files, as a glob.
    """

    source: str
    pattern: str

    def make(self, module: Path, target: Path) -> None:
        """Copy them."""
        folder = Path(json.loads(_go(module, "mod", "download", "-json", self.source))["Dir"])
        for path in folder.glob(self.pattern):
            shutil.copyfile(path, target / path.name)


@dataclass(frozen=True, slots=True)
class Together:
    """What several recipes make of one module, in one folder."""

    parts: tuple[Recipe, ...]

    def make(self, module: Path, target: Path) -> None:
        """Make each part."""
        for part in self.parts:
            part.make(module, target)


RECIPES: Mapping[str, Recipe] = {
    "etcd": Binary(name="etcd", package="go.etcd.io/etcd/server/v3"),
    "kube": Binary(
        name="kube",
        aliases=("kube-apiserver", "kube-controller-manager", "kube-scheduler"),
        stamp="k8s.io/kubernetes",
    ),
    "crds": Files(
        source="sigs.k8s.io/gateway-api-inference-extension", pattern="config/crd/bases/*_inferencepools.yaml"
    ),
    "gateways": Together(
        (
            Files(source="sigs.k8s.io/gateway-api", pattern="config/crd/standard/*_*.yaml"),
            Files(
                source="github.com/envoyproxy/gateway",
                pattern="charts/gateway-helm/charts/crds/crds/generated/*policies.yaml",
            ),
            Files(source="istio.io/api", pattern="kubernetes/*.yaml"),
            Files(
                source="github.com/prometheus-operator/prometheus-operator",
                pattern="example/prometheus-operator-crd/*monitors.yaml",
            ),
        )
    ),
    "h2spec": Binary(name="h2spec", package="github.com/summerwind/h2spec/cmd/h2spec"),
    "gateway": Binary(name="gateway"),
}

GROUPS: Mapping[str, Sequence[str]] = {
    "controlplane": ("etcd", "kube", "crds", "gateways"),
    "peers": ("h2spec", "gateway"),
}


def folder(name: str) -> Path:
    """Return where a thing is once it is built."""
    module = MODULES / name
    digest = hashlib.sha256(repr((RECIPES[name], ENVIRONMENT)).encode())
    for path in sorted(module.iterdir()):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode() + path.read_bytes())
    return CACHE / f"{name}-{digest.hexdigest()[:16]}"


def required(group: str) -> None:
    """Skip the test where a group was not built; in CI, where all of them are, fail it."""
    missing = [name for name in GROUPS[group] if not folder(name).exists()]
    if missing:
        said = f"not built: {', '.join(missing)}; `make {group}` builds them where go is installed"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)


def build(name: str) -> Path:
    """Return the folder of a thing, built now unless it is there; while another process builds it, wait for that."""
    target = folder(name)
    CACHE.mkdir(parents=True, exist_ok=True)
    with _locked(target.with_suffix(".lock")):
        if not target.exists():
            part = target.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)  # of a build that was killed
            part.mkdir()
            RECIPES[name].make(MODULES / name, part)
            part.rename(target)
    return target


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with its process, however that ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _go(module: Path, *arguments: str) -> str:
    """Return what the go command prints; its complaints go where ours do."""
    environment = {**os.environ, **ENVIRONMENT}
    done = subprocess.run(
        ["go", *arguments], cwd=module, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout


def main(group: str) -> None:
    """Build a group of things, with a line for each: its name, the seconds it took, where it is."""
    for name in GROUPS[group]:
        sys.stdout.write(f"{name:8}")
        sys.stdout.flush()
        started = time.monotonic()
        target = build(name)
        sys.stdout.write(f"{time.monotonic() - started:6.1f} s  {target}\n")


if __name__ == "__main__":
    main(sys.argv[1])
