"""Values that cannot be meant are refused, by the place and in words."""

from typing import Any

import pytest
from charts import Helm, HelmError

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": ({"replicas": 3}, "additional properties 'replicas' not allowed"),
    "unknown, deeper": ({"image": {"repo": "x"}}, "additional properties 'repo' not allowed"),
    "another type": ({"replicaCount": "two"}, "got string, want integer"),
    "below zero": ({"replicaCount": -1}, "minimum: got -1, want 0"),
    "no digest": ({"image": {"digest": "latest"}}, "'latest' does not match pattern"),
    "no policy": ({"image": {"pullPolicy": "Sometimes"}}, "value must be one of 'Always', 'IfNotPresent', 'Never'"),
    "no namespace": ({"watchNamespaces": ["Models"]}, "'Models' does not match pattern"),
    "a namespace twice": ({"watchNamespaces": ["a", "a"]}, "items at 0 and 1 are equal"),
    "no level": ({"logLevel": "loud"}, "value must be one of 'debug', 'info', 'warning', 'error'"),
    "a secret by its text": ({"imagePullSecrets": ["pull"]}, "got string, want object"),
    "no port": ({"networkPolicy": {"apiServerPorts": [0]}}, "minimum: got 0, want 1"),
}


@pytest.mark.parametrize(("values", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_refused(helm: Helm, values: dict[str, Any], words: str) -> None:
    """Before anything is made, with the place and the rule."""
    with pytest.raises(HelmError) as refused:
        helm.rendered(values)

    place = "".join(f"/{key}" for key in values)
    assert words in str(refused.value)
    assert place in str(refused.value) or "additional properties" in words


def test_values_of_charts_above_are_taken(helm: Helm) -> None:
    """`global` may hold what other charts of the same release are told."""
    assert helm.rendered({"global": {"storageClass": "fast"}})


def test_account_of_others_has_a_name(helm: Helm) -> None:
    """Without an account of its own the operator needs to know which."""
    with pytest.raises(HelmError, match=r"serviceAccount\.name is required where serviceAccount\.create is off"):
        helm.rendered({"serviceAccount": {"create": False}})
