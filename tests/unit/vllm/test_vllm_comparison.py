"""Two engines' answers held against each other."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera_vllm.comparison import Difference, differences, shape, table, unexpected, unneeded

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=10,
)


def found(real: Any, simulated: Any) -> list[tuple[str, str, str]]:
    pairs = differences("chat", real=shape(real), simulated=shape(simulated))
    return [(each.place, each.real, each.simulated) for each in pairs]


def test_a_shape_is_every_field_with_its_types() -> None:
    """The elements of a list count together, and so do several answers."""
    assert shape({"a": [{"b": 1}, {"b": None}]}, {"a": []}) == {
        "": {"object"},
        "a": {"array"},
        "a[]": {"object"},
        "a[].b": {"number", "null"},
    }


@pytest.mark.parametrize(
    ("real", "simulated", "expected"),
    [
        ({"a": 1}, {"a": 2.5}, []),
        ({"a": 1}, {"a": "1"}, [("chat: a", "number", "string")]),
        ({"a": 1}, {}, [("chat: a", "number", "")]),
        ({}, {"a": 1}, [("chat: a", "", "number")]),
        ({"a": {"b": 1, "c": [2]}}, {}, [("chat: a", "object", "")]),
        ([{"a": 1}, {"a": None}], [{"a": 1}], []),
        ([{"a": 1}], [{"a": 1}, {"a": None}], [("chat: [].a", "number", "null or number")]),
        ({"a": True}, {"a": 1}, [("chat: a", "boolean", "number")]),
    ],
    ids=["alike", "type", "missing", "extra", "what lies within", "fewer types", "more types", "booleans"],
)
def test_a_difference_is_a_field_or_a_type_that_one_has_alone(real: Any, simulated: Any, expected: list[Any]) -> None:
    """The simulator may say less with a field, never more; a missing field is told once, not with all within it."""
    assert found(real, simulated) == expected


@given(JSON)
def test_an_answer_does_not_differ_from_itself(value: Any) -> None:
    """Whatever it is."""
    assert found(value, value) == []


@given(JSON, JSON)
def test_every_top_level_difference_is_seen(real: Any, simulated: Any) -> None:
    """In either direction, as soon as a field is there on one side only."""
    places = {place for place, _, _ in found({"r": real}, {"s": simulated})}
    assert places == {"chat: r", "chat: s"}


ROOT = Difference("models: data[].root", "string", "")


@pytest.mark.parametrize(
    ("pattern", "meets"),
    [
        ("models: data[].root | string | –", True),
        ("*: data[].* | *", True),
        ("* | null | –", False),
        ("chat: data[].root | *", False),
    ],
)
def test_a_pattern_allows_the_differences_it_meets(pattern: str, *, meets: bool) -> None:
    """Place and both types; brackets are those of lists, a star is any text. What allows nothing is told too."""
    allowed = {pattern: "why"}

    assert unexpected([ROOT], allowed) == ([] if meets else [ROOT])
    assert unneeded([ROOT], allowed) == ([] if meets else [pattern])


def test_the_table_gives_each_difference_its_reason() -> None:
    """And shouts where there is none."""
    lines = table([ROOT, Difference("chat: x", "", "number")], {"models: *": "nobody reads it"}).splitlines()

    assert lines[2:] == [
        "| chat: x | – | number | UNEXPECTED |",
        "| models: data[].root | string | – | nobody reads it |",
    ]
