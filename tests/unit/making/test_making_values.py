"""From the comments of values: what Helm checks, and what people read."""

import json
from textwrap import dedent
from typing import Any

import jsonschema
import pytest

from making.values import schema, table, values

SOURCE = dedent("""\
    # About the file as a whole.

    # -- How many.
    # @schema {minimum: 0}
    replicas: 2
    image:
      # -- What it is,
      # on two lines.
      tag: ""
      # @schema {additionalProperties: true}
      more: # a remark
        # -- Any.
        one: null
    # -- Labels of all kinds.
    labels:
      team: a
    """)


def _schema() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(schema(SOURCE))
    return made


def test_values_have_meaning_default_and_fields() -> None:
    """A comment belongs to the value below it; an object without one holds values."""
    replicas, image, labels = values(SOURCE)

    assert (replicas.key, replicas.text, replicas.default) == ("replicas", "How many.", 2)
    assert (image.text, [field.key for field in image.fields]) == ("", ["tag", "more"])
    assert image.fields[0].text == "What it is, on two lines."
    assert (labels.text, labels.fields, labels.default) == ("Labels of all kinds.", (), {"team": "a"})


def test_defaults_keep_the_schema() -> None:
    """What the file itself says is allowed."""
    jsonschema.validate(
        {"replicas": 2, "image": {"tag": "", "more": {"one": None}}, "labels": {"team": "a"}}, _schema()
    )


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        ({"replica": 2}, "'replica' was unexpected"),
        ({"image": {"tags": ""}}, "'tags' was unexpected"),
        ({"replicas": -1}, "less than the minimum"),
        ({"replicas": "2"}, "is not of type 'integer'"),
        ({"labels": []}, "is not of type 'object'"),
    ],
)
def test_what_the_file_does_not_have_is_refused(told: dict[str, Any], rule: str) -> None:
    """By type, by what is said besides, and by name: a typing error is one at every depth."""
    with pytest.raises(jsonschema.ValidationError, match=rule):
        jsonschema.validate(told, _schema())


def test_objects_may_be_open() -> None:
    """One that says so takes others, and one with a meaning of its own takes any."""
    jsonschema.validate({"image": {"more": {"other": 1}}, "labels": {"any": "b"}}, _schema())


def test_table_has_a_row_for_every_value() -> None:
    """With its whole path, its default as JSON, and what it means."""
    assert table(SOURCE).splitlines() == [
        "| value | default | meaning |",
        "| --- | --- | --- |",
        "| `replicas` | `2` | How many. |",
        '| `image.tag` | `""` | What it is, on two lines. |',
        "| `image.more.one` | `null` | Any. |",
        '| `labels` | `{"team": "a"}` | Labels of all kinds. |',
    ]


def test_file_without_values_has_an_empty_schema() -> None:
    """It allows nothing."""
    assert values("# nothing\n") == ()
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"any": 1}, json.loads(schema("")))
