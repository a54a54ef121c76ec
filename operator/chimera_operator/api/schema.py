"""From JSON Schema, as pydantic writes it, to the structural schemas that CustomResourceDefinitions take.

The API server knows OpenAPI v3.0 and of that a part: no references, no `null`, no closed objects; exclusive bounds are
flags. What it does not know it refuses, so every keyword is named here.
"""

import json
from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

_KEPT = (
    *("type", "format", "description", "pattern", "enum", "required", "minimum", "maximum"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
    *("x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
    "x-kubernetes-validations",
)
_INT32 = 2**31 - 1


def structural(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """Return a structural schema, with everything inside that was referred to.

    Args:
        schema: JSON Schema of a value.
        definitions: What `#/$defs/NAME` refers to, by name.
    """
    whole = _resolved(schema, definitions)
    made = {key: whole[key] for key in _KEPT if key in whole}
    if "description" in made:
        made["description"] = " ".join(made["description"].split())
    made.update(_bounds(whole))
    made.update(_children(whole, definitions))
    made.update(_default(whole, made))
    return made


def told_defaults(schema: Mapping[str, Any]) -> Schema:
    """Return the schema with its defaults told in the descriptions, where nobody may fill them in."""
    told = {key: value for key, value in schema.items() if key != "default"}
    if not isinstance(default := schema.get("default"), dict | None):
        told["description"] = f"{schema['description']} Default: {json.dumps(default)}."
    if "properties" in schema:
        told["properties"] = {name: told_defaults(field) for name, field in schema["properties"].items()}
    if "items" in schema:
        told["items"] = told_defaults(schema["items"])
    return told


def without_null(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of the value, where there is one, of a field that may be left out."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    return {**choices[0], **{key: value for key, value in schema.items() if key != "anyOf"}}


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema without references and without `null`; what stands beside a reference wins."""
    plain = without_null(schema)
    if reference := plain.get("$ref"):
        return {**definitions[reference.rpartition("/")[2]], **plain}
    return plain


def _bounds(schema: Mapping[str, Any]) -> Schema:
    bounds: Schema = {}
    for side in ("Minimum", "Maximum"):
        if (exclusive := schema.get(f"exclusive{side}")) is not None:
            bounds |= {side.lower(): exclusive, f"exclusive{side}": True}
    if schema.get("type") == "integer":
        bounds["format"] = "int32" if schema.get("maximum", _INT32 + 1) <= _INT32 else "int64"
    if "const" in schema:
        bounds["enum"] = [schema["const"]]
    return bounds


def _children(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    children: Schema = {}
    if "properties" in schema:
        fields = schema["properties"].items()
        children["properties"] = {name: structural(field, definitions) for name, field in fields}
    if schema.get("additionalProperties"):
        children["additionalProperties"] = structural(schema["additionalProperties"], definitions)
    if "items" in schema:
        children["items"] = structural(schema["items"], definitions)
    if schema.get("x-kubernetes-int-or-string"):
        children["anyOf"] = schema["anyOf"]
    return children


def _default(schema: Mapping[str, Any], made: Mapping[str, Any]) -> Schema:
    """Return the default, whole: the API server holds it against the rules before it fills in what lies deeper."""
    default = schema.get("default")
    said = _said(default)
    if said is None:
        return {"default": {}} if "properties" in made and default is not None else {}
    return {"default": said}


def _said(value: Any) -> Any:
    """Return a value without what is empty, None where nothing is left."""
    if isinstance(value, dict):
        value = {key: said for key, inner in value.items() if (said := _said(inner)) is not None}
    return None if value in (None, "", [], {}) else value
