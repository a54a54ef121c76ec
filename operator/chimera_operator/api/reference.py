"""The reference of the resources as a page, made from the types."""

from collections.abc import Iterator, Mapping
from typing import Any

from chimera_operator.api.crds import RESOURCES, Resource
from chimera_operator.api.names import GROUP, VERSION
from chimera_operator.api.schema import without_null

_INTRODUCTION = f"""# The resources

Group `{GROUP}`, version `{VERSION}`. Made from `chimera_operator.api` by `make manifests`; `kubectl explain` says the
same. Examples are in [manifests/samples](../manifests/samples). From Kubernetes 1.29 on the API server checks
every rule below by itself, no webhook is needed; `chimera up` and the operator hold documents against the same rules.

**Who wins.** `engine.args` and `engine.env` win over the typed fields, these over the engine profile. Flags that the
router, the probes or the accelerators depend on belong to the operator and are refused in `engine.args`.

**Defaults.** `spec.defaults` is merged under every model: a model's own fields win, one by one inside the objects;
`scaling`, lists and what lies deeper are taken whole. That is why the API server fills in no default below `models` and
`defaults`; those of the tables hold all the same.

**Names.** What a model becomes in a cluster is called `<pool>-<model>-<hash8>`, its Deployments
`<pool>-<model>-<accelerator>-<hash8>`, of long names the beginning; what a pool has one of, `<pool>-<role>`. A pool's
name has 40 characters at most, a model's 63.
"""


def reference() -> str:
    """Return the page, as Markdown."""
    roots = [resource.document.model_json_schema() for resource in RESOURCES]
    definitions = {name: part for root in roots for name, part in root["$defs"].items()}
    shown = [_shown(root) for root in roots]
    lines = [_INTRODUCTION]
    for resource, root, fields in zip(RESOURCES, roots, shown, strict=True):
        lines.extend(_kind(resource, root, fields))
    for name in _reached(shown, definitions):
        lines.extend(_section(name, definitions[name]))
    return "\n".join(lines)


def _shown(root: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a kind that are its own, not Kubernetes'."""
    return {name: field for name, field in root["properties"].items() if name in {"spec", "status"}}


def _kind(resource: Resource, root: Mapping[str, Any], fields: Mapping[str, Any]) -> Iterator[str]:
    scaled = ", with a scale subresource" if resource.scale else ""
    yield f"## {resource.kind}\n"
    yield f"{root['description']} `kubectl get {resource.short_name}`{scaled}.\n"
    yield from _table(fields, root)
    yield from _rules(root)


def _section(name: str, definition: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"{_text(definition['description'])}\n"
    yield from _table(definition["properties"], definition)
    yield from _rules(definition)


def _table(fields: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    if not fields:
        return
    yield "| field | value | default | meaning |"
    yield "| --- | --- | --- | --- |"
    required = document.get("required", ())
    for name, field in fields.items():
        default = "required" if name in required else _default(field)
        yield f"| `{name}` | {_value(without_null(field))} | {default} | {_text(field.get('description', ''))} |"
    yield ""


def _rules(document: Mapping[str, Any]) -> Iterator[str]:
    for rule in document.get("x-kubernetes-validations", ()):
        place = f"`{rule['fieldPath'].removeprefix('.')}`: " if "fieldPath" in rule else ""
        yield f"- {place}{rule['message']}"
    if "x-kubernetes-validations" in document:
        yield ""


def _default(field: Mapping[str, Any]) -> str:
    default = field.get("default")
    return "" if default in (None, "", [], {}) or isinstance(default, dict) else f"`{_plain(default)}`"


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return str(value).lower() if isinstance(value, bool) else f"{value}"


def _value(schema: Mapping[str, Any]) -> str:
    match schema:
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            return f"[{name}](#{name.lower()})"
        case {"enum": names}:
            return ", ".join(f"`{name}`" for name in names)
        case {"type": "array", "items": items}:
            return f"list of {_value(items)}{_most(schema, 'maxItems')}"
        case {"type": "object", "additionalProperties": Mapping() as values}:
            return f"map of {_value(values)}{_most(schema, 'maxProperties')}"
        case _:
            return _scalar(schema)


def _scalar(schema: Mapping[str, Any]) -> str:
    if schema.get("x-kubernetes-int-or-string"):
        return "quantity"
    kind = "time" if schema.get("format") == "date-time" else schema["type"]
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    return kind if low is None or high is None else f"{kind}, {_number(low)} to {_number(high)}"


def _most(schema: Mapping[str, Any], keyword: str) -> str:
    return f", at most {schema[keyword]}" if keyword in schema else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value}"


def _text(description: str) -> str:
    return " ".join(description.split()).replace("|", "\\|")


def _reached(schema: Any, definitions: Mapping[str, Any]) -> list[str]:
    """Return the names of the definitions that a schema refers to, in the order in which a reader meets them."""
    found: dict[str, None] = {}
    waiting = [schema]
    while waiting:
        for name in _references(waiting.pop(0)):
            if name not in found:
                found[name] = None
                waiting.append(definitions[name])
    return list(found)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        for key, inner in schema.items():
            if key != "$defs":
                yield from _references(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _references(inner)
