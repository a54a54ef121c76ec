"""The programs that build images from a Dockerfile."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from chimera_cluster import cache, tools
from chimera_cluster.commands import output


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One image to build.

    Attributes:
        name: Of the image, with its tag.
        context: Folder with the Dockerfile and all that it copies.
        arguments: Of the Dockerfile.
        labels: Of the image.
        epoch: Seconds since 1970 that images and files are dated by, so that equal inputs make equal images.
        base: Archive of the image that it stands on, where that is one of ours.
    """

    name: str
    context: Path
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    epoch: int = 0
    base: Path | None = None

    def flags(self) -> list[str]:
        """Return what every builder understands."""
        arguments = [f"--build-arg={key}={value}" for key, value in self.arguments.items()]
        return [*arguments, *(f"--label={key}={value}" for key, value in self.labels.items()), f"--tag={self.name}"]


class Builder(Protocol):
    """Builds images and saves them."""

    def build(self, order: Order, archive: Path) -> None:
        """Build an image and write it into an archive.

        Raises:
            ClusterError: The builder failed.
        """


@dataclass(frozen=True, slots=True)
class Engine:
    """Docker or podman.

    Attributes:
        program: The command.
    """

    program: str

    def build(self, order: Order, archive: Path) -> None:
        """Build in the engine's own store."""
        if order.base:
            output([self.program, "load", "--input", str(order.base)])
        epoch = {"SOURCE_DATE_EPOCH": str(order.epoch)}
        output([self.program, "build", *order.flags(), str(order.context)], environment=epoch)
        output([self.program, "save", "--output", str(archive), order.name])


@dataclass(frozen=True, slots=True)
class Buildah:
    """Buildah, as root, without a daemon; it needs neither cgroups nor namespaces of its own.

    Attributes:
        store: Folder of its images.
    """

    store: Path

    def build(self, order: Order, archive: Path) -> None:
        """Build in a store of this project's own."""
        if order.base:
            self._run("pull", "--quiet", f"oci-archive:{order.base}")
        dated = [f"--timestamp={order.epoch}", "--isolation=chroot"]
        self._run("build", *dated, *order.flags(), str(order.context))
        self._run("push", "--disable-compression", order.name, f"oci-archive:{archive}:{order.name}")
        self._run("rmi", order.name)  # the archive is what counts; a store would grow by every build

    def _run(self, *arguments: str) -> None:
        store = [f"--root={self.store}/root", f"--runroot={self.store}/run", "--storage-driver=overlay"]
        output(["buildah", *store, *arguments])


def find() -> Builder:
    """Return the builder of this machine, docker and podman before buildah, which is installed if need be.

    Raises:
        ClusterError: There is none and none can be installed.
    """
    for program in ("docker", "podman"):
        if shutil.which(program) and _answers(program):
            return Engine(program)
    tools.require(tools.BUILDER_TOOLS)
    return Buildah(cache.HOME / "buildah")


def _answers(program: str) -> bool:
    """Return whether an engine serves: the command alone is often there without one."""
    return not subprocess.run([program, "info"], capture_output=True, check=False).returncode
