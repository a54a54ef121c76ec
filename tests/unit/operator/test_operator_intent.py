"""What an object should be, held against what it is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera_operator.cluster import intent

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)
OBJECTS = st.dictionaries(st.text(max_size=4), DOCUMENTS, max_size=5)


def configured(**data: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


def podded(**spec: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


@given(OBJECTS)
def test_whatever_has_all_of_itself(document: dict[str, Any]) -> None:
    """An object lacks nothing of what it is."""
    assert intent.missing(document, document) is None


@given(OBJECTS, OBJECTS)
def test_what_others_add_is_theirs(document: dict[str, Any], more: dict[str, Any]) -> None:
    """Fields beside those of the intent do not make an object wrong."""
    assert intent.missing({**more, **document}, document) is None


@given(OBJECTS, st.text(min_size=5, max_size=6), LEAVES.filter(lambda leaf: leaf is not None))
def test_a_field_that_is_not_there_is_missed(document: dict[str, Any], key: str, value: object) -> None:
    """A value that the intent has and the object has not is named."""
    assert intent.missing(document, {**document, key: value}) == key


@given(OBJECTS)
def test_digest_is_of_the_content(document: dict[str, Any]) -> None:
    """The order in which fields were written makes no difference."""
    turned = json.loads(json.dumps(document), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert intent.digest(turned) == intent.digest(document)


def test_digests_tell_intents_apart() -> None:
    """Another value, or one field less, is another intent."""
    digests = {intent.digest(each) for each in (configured(a="1"), configured(a="2"), configured(), configured(b="1"))}

    assert len(digests) == 4


def test_an_object_carries_its_digest() -> None:
    """What is written says what was meant, beside the annotations that were meant, and the intent stays as it was."""
    plain = configured(a="1")
    plain["metadata"]["annotations"] = {"note": "mine"}

    stamped = intent.stamped(plain)

    assert intent.told(stamped) == intent.digest(plain)
    assert stamped["metadata"]["annotations"]["note"] == "mine"
    assert plain["metadata"]["annotations"] == {"note": "mine"}
    assert intent.told(plain) == ""
    assert intent.told({"metadata": {"annotations": None}}) == ""


@pytest.mark.parametrize(
    ("live", "wanted", "missed"),
    [
        ({"replicas": 3}, {"replicas": 2}, "replicas"),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, "a.b.c"),
        ({"on": 1}, {"on": True}, "on"),
        ({"on": "true"}, {"on": True}, "on"),
        ({}, {"on": False}, "on"),
        ({}, {"emptyDir": {}}, None),
        ({}, {"rules": []}, None),
        ({"rules": ["a"]}, {"rules": []}, "rules"),
        ({}, {"selector": None}, None),
        ({"selector": {}}, {"selector": {}}, None),
        ({"args": ["a", "b"]}, {"args": ["a", "b"]}, None),
        ({"args": ["b", "a"]}, {"args": ["a", "b"]}, "args"),
        ({"args": ["a", "b", "c"]}, {"args": ["a", "b"]}, "args"),
        ({"args": "ab"}, {"args": ["a", "b"]}, "args"),
    ],
)
def test_values(live: dict[str, Any], wanted: dict[str, Any], missed: str | None) -> None:
    """Values must be equal in kind and order; what is empty need not be there."""
    assert intent.missing(live, wanted) == missed


@pytest.mark.parametrize(
    ("live", "wanted", "same"),
    [("500m", "0.5", True), ("1Gi", "1024Mi", True), ("1", 1, True), ("2", "1", False), ("1G", "1Gi", False)],
)
def test_amounts_are_compared_as_amounts(live: str, wanted: object, *, same: bool) -> None:
    """The API server spells quantities in its own way, of resources and of volumes."""
    assert (intent.missing({"limits": {"cpu": live}}, {"limits": {"cpu": wanted}}) is None) is same
    assert (intent.missing({"sizeLimit": live}, {"sizeLimit": wanted}) is None) is same


def test_elsewhere_numbers_are_words() -> None:
    """A label that reads as the same amount is another label."""
    assert intent.missing({"labels": {"a": "500m"}}, {"labels": {"a": "0.5"}}) == "labels.a"


def test_defaults_of_the_server_are_no_difference() -> None:
    """Ports get a protocol, containers get policies: what the server fills in was not asked for and is not missed."""
    live = podded(
        containers=[
            {
                "name": "engine",
                "imagePullPolicy": "IfNotPresent",
                "ports": [{"containerPort": 8000, "protocol": "TCP"}],
                "resources": {"requests": {"cpu": "500m"}},
            }
        ],
        dnsPolicy="ClusterFirst",
    )
    wanted = podded(
        containers=[{"name": "engine", "ports": [{"containerPort": 8000}], "resources": {"requests": {"cpu": "0.5"}}}]
    )

    assert intent.missing(live, wanted) is None


def test_a_sidecar_is_whoever_added_its() -> None:
    """Lists whose items have owners of their own may have more items, in any order."""
    live = podded(containers=[{"name": "proxy"}, {"name": "engine", "image": "a"}])

    assert intent.missing(live, podded(containers=[{"name": "engine", "image": "a"}])) is None
    assert (
        intent.missing(live, podded(containers=[{"name": "engine", "image": "b"}])) == "spec.template.spec.containers"
    )


def test_a_rule_that_was_added_is_a_difference() -> None:
    """Lists that are one value, such as the rules of a role, must be exactly what was meant."""
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    more = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}

    assert intent.missing({"rules": [rule, more]}, {"rules": [rule]}) == "rules"
    assert intent.missing({"rules": [rule]}, {"rules": [rule]}) is None
