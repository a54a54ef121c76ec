"""The definitions that are made from the types: what an API server asks of them, and what people find in them."""

from collections.abc import Iterator
from typing import Any

import pytest

from chimera_operator.api.crds import definitions
from chimera_operator.api.reference import reference
from chimera_operator.api.scalars import PATTERN_RULES

POOLS, MODELS = "heterogeneousmodelpools.chimera.dev", "pooledmodels.chimera.dev"
DEFINITIONS = definitions()


def schema(name: str, *path: str) -> dict[str, Any]:
    """Return the schema of a field; `[]` steps into a list."""
    found: dict[str, Any] = DEFINITIONS[name]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for step in path:
        found = found["items"] if step == "[]" else found["properties"][step]
    return found


def fields(found: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every field of a schema, after its path."""
    for name, field in found.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields(field, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in found:
            yield f"{path}[]", found[key]
            yield from fields(found[key], f"{path}[]")


EVERY = [(name, path, field) for name in DEFINITIONS for path, field in fields(schema(name))]
SPECS = [(name, path, field) for name, path, field in EVERY if path.startswith(".spec")]


def test_schemas_are_structural() -> None:
    """No references, no closed objects, no null, every value with a type: an API server takes nothing else."""
    unknown = {"$ref", "$defs", "const", "title", "allOf", "oneOf", "propertyNames", "prefixItems", "nullable"}

    assert [path for _, path, field in EVERY if unknown & field.keys()] == []
    assert [path for _, path, field in EVERY if "type" not in field and "x-kubernetes-int-or-string" not in field] == []
    assert [path for _, path, field in EVERY if field.get("additionalProperties") in (True, False)] == []


def test_every_field_explains_itself() -> None:
    """`kubectl explain` prints the description; on one line, since it wraps it itself."""
    told = [(path, field) for _, path, field in EVERY if not path.endswith("[]") and path != ".metadata"]

    assert [path for path, field in told if not field.get("description")] == []
    assert [path for path, field in told if "\n" in field["description"]] == []


def test_everything_in_a_spec_has_a_bound() -> None:
    """Without one the API server could not say beforehand what rules over it cost, and refuses them."""
    bounds = {
        "string": {"maxLength", "enum"},
        "array": {"maxItems"},
        "integer": {"maximum"},
        "number": {"maximum"},
    }
    maps = [(path, field) for _, path, field in SPECS if "additionalProperties" in field]

    assert [path for _, path, field in SPECS if not bounds.get(field.get("type"), {*field}) & field.keys()] == []
    assert [path for path, field in maps if "maxProperties" not in field] == []


def test_every_pattern_is_said_in_words() -> None:
    """A pattern without words would be told as itself."""
    assert {field["pattern"] for _, _, field in EVERY if "pattern" in field} <= PATTERN_RULES.keys()


def test_lists_of_named_things_are_merged_by_name() -> None:
    """Two appliers may own models of one pool; a condition is known by its type."""
    assert schema(POOLS, "spec", "models")["x-kubernetes-list-map-keys"] == ["name"]
    assert schema(POOLS, "spec", "models", "[]", "engine", "env")["x-kubernetes-list-type"] == "map"
    assert schema(POOLS, "spec", "models", "[]", "aliases")["x-kubernetes-list-type"] == "set"
    assert schema(POOLS, "status", "conditions")["x-kubernetes-list-map-keys"] == ["type"]


def test_bounds_are_those_of_the_types() -> None:
    """Exclusive bounds are flags in OpenAPI 3.0, and whole numbers say how wide they are."""
    share = schema(POOLS, "spec", "models", "[]", "engine", "gpuMemoryUtilization")
    body = schema(POOLS, "spec", "routing", "limits", "maxBodyBytes")

    assert (share["minimum"], share["exclusiveMinimum"], share["maximum"]) == (0, True, 1)
    assert "exclusiveMaximum" not in share
    assert (body["format"], schema(POOLS, "spec", "picker", "replicas")["format"]) == ("int64", "int32")
    assert schema(POOLS, "spec", "models", "[]", "engine", "maxNumSeqs")["minimum"] == 1


def test_quantities_may_be_whole_numbers() -> None:
    """People write `cpu: 4`; less than nothing is refused in either form."""
    cpu = schema(POOLS, "spec", "models", "[]", "resources", "requests")["additionalProperties"]

    assert cpu["x-kubernetes-int-or-string"] is True
    assert cpu["anyOf"] == [{"type": "integer"}, {"type": "string"}]
    assert cpu["minimum"] == 0


@pytest.mark.parametrize("part", ["models", "defaults"])
def test_no_default_is_filled_in_below_what_is_merged_later(part: str) -> None:
    """It is told instead: filled in, it would count as given, and `spec.defaults` would never apply."""
    merged = schema(POOLS, "spec", part)
    slots = next(field for path, field in fields(merged) if path.endswith(".engine.maxNumSeqs"))

    assert [path for path, field in fields(merged) if "default" in field] == []
    assert slots["description"].endswith("Default: 256.")


def test_other_defaults_are_whole() -> None:
    """The API server holds a default against the rules before it fills in what lies deeper, so it says all of it."""
    assert schema(POOLS, "spec", "defaults")["default"] == {}
    assert schema(POOLS, "spec", "picker")["default"]["tls"] == {"mode": "Auto"}
    assert schema(POOLS, "spec", "picker", "management")["default"] == {
        "auth": "Kubernetes",
        "openMetrics": False,
        "tls": False,
    }
    assert "default" not in schema(POOLS, "spec", "gateway")
    assert "default" not in schema(POOLS, "spec", "routing", "virtualModels")


def test_rules_name_their_place() -> None:
    """A rule about one field blames it, one about several the document."""
    rules = {rule["message"]: rule for rule in schema(POOLS, "spec", "routing")["x-kubernetes-validations"]}
    source = schema(POOLS, "spec", "models", "[]", "source")["x-kubernetes-validations"][0]

    assert rules["is required with policy Threshold"]["fieldPath"] == ".gainNeeded"
    assert "fieldPath" not in source
    assert source["rule"].startswith("[has(self.huggingFace), has(self.pvc)")


def test_child_can_be_scaled() -> None:
    """An autoscaler finds wished and current replicas and the selector."""
    version = DEFINITIONS[MODELS]["spec"]["versions"][0]

    assert version["subresources"] == {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    }
    assert "scale" not in DEFINITIONS[POOLS]["spec"]["versions"][0]["subresources"]


@pytest.mark.parametrize("name", DEFINITIONS)
def test_columns_show_fields_that_there_are(name: str) -> None:
    """Every column's path leads to a field."""
    known = {path for _, path, _ in EVERY}
    paths = [column["jsonPath"] for column in DEFINITIONS[name]["spec"]["versions"][0]["additionalPrinterColumns"]]
    plain = [path.replace('[?(@.type=="Ready")]', "[]") for path in paths if path != ".metadata.creationTimestamp"]

    assert [path for path in plain if path not in known] == []


def test_reference_has_every_type_field_and_rule() -> None:
    """The page is made from the same types."""
    page = reference()

    missing = [
        path for _, path, _ in SPECS if not path.endswith("[]") and f"| `{path.rpartition('.')[2]}` |" not in page
    ]
    assert missing == []
    assert "- `args`: must not hold a flag that belongs to the operator" in page
    assert "| `maxNumSeqs` | integer, 1 to 2,147,483,647 | `256` |" in page
    assert page.count("### Condition\n") == 1
