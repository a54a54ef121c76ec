"""How a Go module becomes files."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chimera_cluster.programs.go import go


class Recipe(Protocol):
    """How a module becomes files. Its repr is part of the digest that names what is made."""

    def make(self, module: Path, target: Path) -> None:
        """Put the files into the target folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """A program.

    Attributes:
        name: Of the file.
        package: What is built: the module's own package, or one of a module that it requires with a `tool` line.
        aliases: Names by which one binary is several programs.
        tags: Of the build.
        version: Module whose version the program says is its own. Empty: none.
        variables: What the linker sets, each a template of {version}, {major} and {minor}.
    """

    name: str
    package: str = "."
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    version: str = ""
    variables: tuple[str, ...] = ()

    def make(self, module: Path, target: Path) -> None:
        """Compile and link."""
        flags = " ".join(["-s", "-w", *(f"-X {variable}" for variable in self._variables(module))])
        tags = f"-tags={','.join(self.tags)}"
        go(module, "build", tags, f"-ldflags={flags}", "-o", str(target / self.name), self.package)
        for alias in self.aliases:
            (target / alias).symlink_to(self.name)

    def _variables(self, module: Path) -> list[str]:
        if not self.version:
            return []
        version = go(module, "list", "-m", "-f", "{{.Version}}", self.version).strip()
        major, minor, _ = version.removeprefix("v").split(".", 2)
        return [variable.format(version=version, major=major, minor=minor) for variable in self.variables]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tests:
    """The module's own tests, as a program.

    Attributes:
        name: Of the file.
    """

    name: str

    def make(self, module: Path, target: Path) -> None:
        """Compile and link."""
        go(module, "test", "-c", "-ldflags=-s -w", "-o", str(target / self.name), ".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Files that a module carries beside its code.

    Attributes:
        source: The module that has them.
        root: The folder of it that they lie in; they keep their places below it.
        pattern: Which of them, as a glob.
        folder: Where they go, below the target. Empty: there itself.
    """

    source: str
    root: str
    pattern: str = "**/*"
    folder: str = ""

    def make(self, module: Path, target: Path) -> None:
        """Copy them."""
        root = Path(json.loads(go(module, "mod", "download", "-json", self.source))["Dir"]) / self.root
        for path in root.glob(self.pattern):
            if path.is_file():
                copy = target / self.folder / path.relative_to(root)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)  # without the mode: a module's files are read-only
