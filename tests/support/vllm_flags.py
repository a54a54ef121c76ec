"""The flags that versions of vLLM have: `python tests/support/vllm_flags.py WHEEL...` records them from its wheels.

Read from the source, as the parser itself needs torch: what `add_argument` is called with, and the fields of the
classes from which vLLM makes flags.
"""

import ast
import hashlib
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "unit" / "operator" / "vllm_flags"

_FIELDS = {"FrontendArgs", "BaseFrontendArgs"}  # classes each of whose fields is a flag
_SOURCES = ("vllm/engine/arg_utils.py", "cli_args.py")  # ends of the paths that define flags


def recorded(version: str) -> frozenset[str]:
    """Return the flags of a version such as `0.33`."""
    lines = (FOLDER / f"{version}.txt").read_text().splitlines()
    return frozenset(line for line in lines if line.startswith("-"))


def flags(wheel: Path) -> list[str]:
    """Return the flags that the sources in a wheel define."""
    with zipfile.ZipFile(wheel) as whole:
        names = [name for name in whole.namelist() if name.startswith("vllm/") and name.endswith(_SOURCES)]
        trees = [ast.parse(whole.read(name)) for name in names]
    return sorted({flag for tree in trees for flag in _flags(ast.walk(tree))})


def _flags(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(attr="add_argument"), args=arguments):
                words = [each.value for each in arguments if isinstance(each, ast.Constant)]
                yield from (word for word in words if isinstance(word, str) and word.startswith("-"))
            case ast.ClassDef(name=name, body=body) if name in _FIELDS:
                fields = [each.target.id for each in body if _is_field(each)]  # type: ignore[attr-defined]
                yield from (f"--{field.replace('_', '-')}" for field in fields)


def _is_field(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)


def main() -> None:
    """Record the flags of the wheels that are named."""
    FOLDER.mkdir(exist_ok=True)
    for wheel in map(Path, sys.argv[1:]):
        version = ".".join(wheel.name.split("-")[1].split(".")[:2])
        source = f"# {wheel.name}, sha256 {hashlib.sha256(wheel.read_bytes()).hexdigest()}"
        (FOLDER / f"{version}.txt").write_text("\n".join([source, *flags(wheel), ""]))


if __name__ == "__main__":
    main()
