"""Write what is made from the resource types, or check that what is committed is current.

Run by `make manifests`; `make check` runs it with --check, which writes nothing and fails on a difference.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from chimera_operator.api.crds import definitions
from chimera_operator.api.reference import reference

ROOT = Path(__file__).resolve().parents[1]
HEAD = "# Made from chimera_operator.api by `make manifests`.\n"


class Dumper(yaml.SafeDumper):
    """YAML that says what is said twice, twice: in a definition nobody looks for anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Return that nothing is an alias."""
        return True


def made() -> dict[Path, str]:
    """Return every text by its path in the tree."""
    crds = {
        Path("manifests", "crds", f"{name}.yaml"): HEAD + yaml.dump(crd, Dumper=Dumper, sort_keys=False, width=120)
        for name, crd in definitions().items()
    }
    return {**crds, Path("docs", "api.md"): reference()}


def main() -> None:
    """Write the files, or exit with 1 and their names where they differ from what is committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    stale = [path for path, text in made().items() if _committed(path) != text]
    if check and stale:
        sys.exit(f"stale, run `make manifests`: {', '.join(map(str, stale))}")
    for path in stale:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(made()[path])


def _committed(path: Path) -> str:
    return (ROOT / path).read_text() if (ROOT / path).exists() else ""


if __name__ == "__main__":
    main()
