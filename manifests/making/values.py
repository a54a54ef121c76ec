"""What can be made from the comments of a chart's values: their schema, and their table.

`# -- ` begins what a value means, and lines of comment go on with it. `# @schema ` adds to what the default tells of a
value: `# @schema {minimum: 1}`. An object of which nothing is said holds values, and no others than those that the file
has, so that a typing error is one; an object with a meaning of its own is a value.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

_TYPES = {
    "bool": "boolean",
    "float": "number",
    "int": "integer",
    "map": "object",
    "null": "null",
    "seq": "array",
    "str": "string",
}
_TEXT, _SCHEMA = "# -- ", "# @schema "


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value, or an object of values.

    Attributes:
        key: Its name.
        text: What it means; empty where it only holds others.
        default: What it is where nobody sets it.
        schema: What is told of it.
        fields: The values that it holds.
    """

    key: str
    text: str
    default: Any
    schema: dict[str, Any]
    fields: tuple["Value", ...]


def values(source: str) -> tuple[Value, ...]:
    """Return the values of a file, in its order."""
    root = yaml.compose(source)
    return tuple(_values(root, source.splitlines())) if isinstance(root, yaml.MappingNode) else ()


def schema(source: str) -> str:
    """Return the schema of a file, as Helm reads it."""
    made = _object(values(source))
    return json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", **made}, indent=2) + "\n"


def table(source: str) -> str:
    """Return the values of a file as a table of Markdown."""
    lines = ["| value | default | meaning |", "| --- | --- | --- |"]
    lines.extend(_rows(values(source), ""))
    return "\n".join(lines) + "\n"


def _values(node: yaml.MappingNode, lines: Sequence[str]) -> Iterator[Value]:
    for key, value in node.value:
        comments = _comments(lines, key.start_mark.line)
        text = _said(comments, _TEXT)
        yield Value(
            key=key.value,
            text=text,
            default=yaml.safe_load(yaml.serialize(value)),
            schema={"type": _TYPES[value.tag.rpartition(":")[2]], **(yaml.safe_load(_said(comments, _SCHEMA)) or {})},
            fields=() if text else tuple(_values(value, lines)),
        )


def _comments(lines: Sequence[str], key: int) -> list[str]:
    """Return the lines of comment right above a key."""
    first = key
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return [line.strip() for line in lines[first:key]]


def _said(comments: Sequence[str], mark: str) -> str:
    """Return what follows a mark, up to the next one."""
    said: list[str] = []
    for line in comments:
        if line.startswith(mark):
            said = [line.removeprefix(mark)]
        elif said and not line.startswith((_TEXT, _SCHEMA)):
            said.append(line.removeprefix("# "))
        elif said:
            break
    return " ".join(said)


def _object(fields: Sequence[Value]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {field.key: _described(field) for field in fields},
    }


def _described(value: Value) -> dict[str, Any]:
    text = {"description": value.text} if value.text else {}
    return {**text, **(_object(value.fields) if value.fields else {}), **value.schema}


def _rows(fields: Sequence[Value], above: str) -> Iterator[str]:
    for field in fields:
        name = f"{above}{field.key}"
        if field.fields:
            yield from _rows(field.fields, f"{name}.")
        else:
            default = json.dumps(field.default)
            yield f"| `{name}` | `{default}` | {field.text} |"
