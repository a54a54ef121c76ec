"""Generate chimera_proto from the .proto files, or check that what is committed is current.

Run by `make proto`; `make check` runs it with --check, which writes nothing and fails on a difference.
"""

import argparse
import re
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent
SOURCE = ROOT / "chimera"
TARGET = ROOT / "chimera_proto"


def compile_to(folder: Path) -> dict[Path, str]:
    """Return the generated text by path relative to chimera_proto."""
    includes = files("grpc_tools") / "_proto"
    sources = sorted(str(path.relative_to(ROOT)) for path in SOURCE.rglob("*.proto"))
    paths = [f"--proto_path={ROOT}", f"--proto_path={includes}"]
    outputs = [f"--python_out={folder}", f"--pyi_out={folder}"]
    _compile([*paths, *outputs], sources)
    _compile([*paths, f"--grpc_python_out={folder}"], [source for source in sources if _serves(source)])
    generated = folder / "chimera"
    # protoc names the package after the folder of the sources; the wheel calls it chimera_proto.
    return {
        path.relative_to(generated): path.read_text().replace("from chimera.", "from chimera_proto.")
        for path in sorted(generated.rglob("*.py*"))
    }


def _compile(options: list[str], sources: list[str]) -> None:
    if protoc.main(["protoc", *options, *sources]) != 0:
        raise SystemExit("protoc failed")


def _serves(source: str) -> bool:
    """Return whether a file defines a service; from any other the plugin would make an empty module."""
    return re.search(r"^service ", (ROOT / source).read_text(), re.MULTILINE) is not None


def _committed(path: Path) -> str:
    return (TARGET / path).read_text() if (TARGET / path).exists() else ""


def main() -> None:
    """Write the generated modules, or exit with 1 and their names where they differ from what is committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as scratch:
        modules = compile_to(Path(scratch))
    stale = [path for path, text in modules.items() if _committed(path) != text]
    if check and stale:
        sys.exit(f"stale, run `make proto`: {', '.join(map(str, stale))}")
    for path in stale:
        (TARGET / path).parent.mkdir(parents=True, exist_ok=True)
        (TARGET / path).write_text(modules[path])


if __name__ == "__main__":
    main()
