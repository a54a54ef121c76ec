"""Resources drawn from their definitions: whatever a schema allows, and now and then what it does not."""

import copy
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st

from chimera_operator.api.crds import RESOURCES, object_schema

Schema = Mapping[str, Any]

MOST = 2  # optional fields of an object: enough for pairs, too few for a broken rule in every document
ASCII = st.characters(codec="ascii", exclude_categories=["Cc"])
ODD = ("", "a", "A b", -1, 0, 1, 2**40, 0.5, True, [], {}, ["a", "a"], [{}], {"a": "b"})


@cache
def pools() -> st.SearchStrategy[dict[str, Any]]:
    """Return pools that their schema allows, and that may break the rules between fields."""
    return _documents(_value(object_schema(RESOURCES[0])["properties"]["spec"]))


@st.composite
def altered(draw: st.DrawFn, documents: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    """Draw a document in which one value is replaced by an odd one."""
    document: dict[str, Any] = copy.deepcopy(draw(documents))
    place, key = draw(st.sampled_from(list(_places(document["spec"]))))
    place[key] = draw(st.sampled_from(ODD))
    return document


@st.composite
def _documents(draw: st.DrawFn, specs: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    spec = draw(specs)
    # Hardly any model would have a source.
    simulated = {**spec.get("defaults", {}), "engine": {"type": "Simulator"}}
    return {
        "apiVersion": "chimera.dev/v1alpha1",
        "kind": "HeterogeneousModelPool",
        "metadata": {"name": "drawn"},
        "spec": {**spec, "defaults": simulated},
    }


def _places(value: Any) -> Any:
    """Yield every place in a value, as its container and key."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from _places(inner)


def _value(schema: Schema) -> st.SearchStrategy[Any]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(0, 64) | st.sampled_from(["1", "500m", "16Gi", "1.5"])
    by_type = {"object": _object_or_map, "array": _list, "string": _string, "integer": _integer, "number": _number}
    return by_type[schema["type"]](schema) if schema["type"] in by_type else st.booleans()


def _object_or_map(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" in schema:
        fields = {name: _value(field) for name, field in schema["properties"].items()}
        return _object(fields, schema.get("required", []), schema.get("x-kubernetes-validations", []))
    values = _value(schema["additionalProperties"]) if "additionalProperties" in schema else st.nothing()
    return st.dictionaries(st.sampled_from(["small", "cpu", "example.com/a"]), values, max_size=2)


@st.composite
def _object(
    draw: st.DrawFn,
    fields: Mapping[str, st.SearchStrategy[Any]],
    required: Sequence[str],
    rules: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    optional = [name for name in fields if name not in required]
    given = {*required, *(draw(st.sets(st.sampled_from(optional), max_size=MOST)) if optional else ())}
    for rule in rules:
        given = draw(_chosen(given, rule["message"]))
    return {name: draw(value) for name, value in fields.items() if name in given}


@st.composite
def _chosen(draw: st.DrawFn, given: set[str], sentence: str) -> set[str]:
    """Draw the fields that are given by a rule of choice; by chance they hardly ever keep one."""
    if one := re.fullmatch("must give exactly one of (.*)", sentence):
        names = one[1].split(", ")
        return given - {*names} | {draw(st.sampled_from(names))}
    if some := re.fullmatch("(.*) and (.*) exclude one another", sentence):
        names = [*some[1].split(", "), some[2]]
        return given - {*names} | draw(st.sets(st.sampled_from(names), max_size=1))
    return given


def _list(schema: Schema) -> st.SearchStrategy[list[Any]]:
    keys = schema.get("x-kubernetes-list-map-keys")
    kind = {"unique_by": lambda item: item[keys[0]] if keys else item} if "x-kubernetes-list-type" in schema else {}
    return st.lists(_value(schema["items"]), min_size=schema.get("minItems", 0), max_size=3, **kind)


def _string(schema: Schema) -> st.SearchStrategy[str]:
    if "pattern" not in schema:
        return st.text(ASCII, min_size=schema.get("minLength", 0), max_size=8)
    matching = st.from_regex(schema["pattern"], fullmatch=True, alphabet=ASCII)
    return matching.filter(lambda text: len(text) <= schema.get("maxLength", 64))


def _integer(schema: Schema) -> st.SearchStrategy[int]:
    low, high = schema["minimum"], schema["maximum"]
    return st.integers(low, min(high, low + 3)) | st.integers(low, high)


def _number(schema: Schema) -> st.SearchStrategy[float]:
    bounds = {f"exclude_{side[:3]}": schema.get(f"exclusive{side.title()}", False) for side in ("minimum", "maximum")}
    return st.floats(schema["minimum"], schema["maximum"], **bounds)
