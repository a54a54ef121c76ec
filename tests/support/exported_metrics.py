"""The metrics that the tree's own code exports, read from where each is defined."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACES = (
    ROOT / "router" / "chimera_router" / "telemetry",
    ROOT / "operator" / "chimera_operator" / "telemetry",
    ROOT / "e2e" / "chimera_bench" / "engine" / "metrics.py",  # vLLM's names and labels
)
SUFFIXES = {"Counter": ("_total",), "Histogram": ("_bucket", "_count", "_sum")}
"""What Prometheus' text format adds to the name of a kind."""

_SIMULATED = {"_gauge": "Gauge", "_counter": "Counter", "_histogram": "Histogram"}
"""By which the simulator makes its metrics: all have vLLM's prefix and labels."""
_OF_ENGINES = frozenset({"model_name", "engine"})


def exported() -> dict[str, frozenset[str]]:
    """Return the labels of every series by its name."""
    return dict(each for place in PLACES for path in _modules(place) for each in _of_module(path))


def _modules(place: Path) -> list[Path]:
    return sorted(place.glob("*.py")) if place.is_dir() else [place]


def _of_module(path: Path) -> Iterator[tuple[str, frozenset[str]]]:
    tree = ast.parse(path.read_text())
    assigned = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            yield from _of_call(node, assigned)


def _of_call(call: ast.Call, assigned: dict[str, ast.expr]) -> Iterator[tuple[str, frozenset[str]]]:
    maker = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    (name, *_) = [*_texts(call.args[0], assigned), ""]
    if maker in _SIMULATED:
        yield from _series(f"vllm:{name}", _SIMULATED[maker], _OF_ENGINES)
    elif name.startswith("chimera_"):
        told = [keyword.value for keyword in call.keywords if keyword.arg == "labels"] or call.args[2:3]
        labels = frozenset(text for each in told for text in _texts(each, assigned))
        yield from _series(name, maker.removesuffix("MetricFamily"), labels)


def _series(name: str, kind: str, labels: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    own = labels | {"le"} if kind == "Histogram" else labels
    yield from ((name + suffix, own) for suffix in SUFFIXES.get(kind, ("",)))


def _texts(expression: ast.expr, assigned: dict[str, ast.expr]) -> list[str]:
    """Return the texts that an expression is, as far as they stand in the module."""
    found = assigned.get(expression.id, expression) if isinstance(expression, ast.Name) else expression
    parts = found.elts if isinstance(found, ast.List | ast.Tuple) else [found]
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
