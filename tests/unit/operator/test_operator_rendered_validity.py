"""Everything that every sample becomes is what Kubernetes takes, and what its restricted profile lets run."""

from typing import Any

import kubernetes_validate
import pytest
from pod_security import breaches
from rendered_pools import FACTS, SITUATIONS, UID, in_cluster, of_kind, pods_of, rendered

from chimera_operator.api.names import LONGEST
from chimera_operator.api.parse import parse_pooled_model
from chimera_operator.rendering import kinds
from chimera_operator.rendering.manifest import Manifest, key_of

VERSIONS = ("1.33", "1.36")
CUSTOM = {*kinds.OPTIONAL, kinds.POOLED_MODEL}

RENDERED = {name: rendered(*situation) for name, situation in SITUATIONS.items()}
situations = pytest.mark.parametrize("manifests", RENDERED.values(), ids=RENDERED)


def test_fake_of_restricted_profile_notices() -> None:
    """A pod that does what it must not breaks rules, each by its name."""
    bad: dict[str, Any] = {
        "hostNetwork": True,
        "volumes": [{"name": "v", "hostPath": {"path": "/"}}],
        "containers": [{"name": "c", "securityContext": {"privileged": True}, "ports": [{"hostPort": 1}]}],
    }

    found = breaches(bad)

    assert len(found) == 8
    assert found[:2] == ["hostNetwork is true", "volume v is of the kind hostPath"]


@situations
@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_keeps_its_schema(manifests: tuple[Manifest, ...], version: str) -> None:
    """Strictly: a field that Kubernetes does not know is an error. Kinds of others are tried with a real API server."""
    for manifest in manifests:
        if (manifest["apiVersion"], manifest["kind"]) not in CUSTOM:
            kubernetes_validate.validate(manifest, version, strict=True)


@situations
def test_every_child_of_ours_is_one(manifests: tuple[Manifest, ...]) -> None:
    """The operator reads what it wrote."""
    for manifest in of_kind(manifests, kinds.POOLED_MODEL):
        assert parse_pooled_model(manifest).metadata.name == manifest["metadata"]["name"]


@situations
def test_every_pod_keeps_the_restricted_profile(manifests: tuple[Manifest, ...]) -> None:
    """In a namespace that enforces it, all pods run."""
    assert [breach for pod in pods_of(manifests) for breach in breaches(pod)] == []


@situations
def test_root_is_read_only_where_no_runtime_of_accelerators_writes_there(manifests: tuple[Manifest, ...]) -> None:
    """NVIDIA's does; nothing else has a reason."""
    for pod in pods_of(manifests):
        for container in pod["containers"]:
            resources = container.get("resources", {})
            cards = [name for name in resources.get("limits", {}) if "/" in name] + resources.get("claims", [])
            assert container["securityContext"]["readOnlyRootFilesystem"] == (not cards)


@situations
def test_every_object_goes_when_the_pool_goes(manifests: tuple[Manifest, ...]) -> None:
    """It is owned by it, in its namespace, and found by its labels."""
    for manifest in manifests:
        metadata = manifest["metadata"]
        (owner,) = metadata["ownerReferences"]
        pool = owner["name"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("HeterogeneousModelPool", UID, True)
        assert metadata["namespace"] == "models"
        assert (
            metadata["labels"].items()
            >= {
                "chimera.dev/pool": pool,
                "app.kubernetes.io/managed-by": "chimera-operator",
            }.items()
        )


def test_pool_that_is_not_stored_yet_owns_nothing() -> None:
    """`chimera plan` shows what would be there; only the API server gives it an identity."""
    document, facts = SITUATIONS["cpu"]
    pool = in_cluster({**document, "metadata": {**document["metadata"], "uid": None}})
    assert pool.metadata.uid is None

    manifests = rendered({**document, "metadata": {**document["metadata"], "uid": None}}, facts)

    assert [manifest for manifest in manifests if "ownerReferences" in manifest["metadata"]] == []


@situations
def test_names_are_short_and_keys_are_unique(manifests: tuple[Manifest, ...]) -> None:
    """Whatever is called after them fits as well."""
    assert len({key_of(manifest) for manifest in manifests}) == len(manifests)
    assert all(len(manifest["metadata"]["name"]) <= LONGEST for manifest in manifests)


@situations
def test_nothing_is_said_that_would_not_be_stored(manifests: tuple[Manifest, ...]) -> None:
    """An empty list or an unset field would look like a difference for ever; an empty object may mean everything."""
    assert [place for manifest in manifests for place in empty(manifest)] == []


def empty(value: Any, place: str = "") -> list[str]:
    """Return the places of what is None or an empty list."""
    if value is None or value == []:
        return [place]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in items for found in empty(inner, f"{place}.{key}")]


@situations
def test_what_pods_refer_to_is_there(manifests: tuple[Manifest, ...]) -> None:
    """Accounts and claims that are the operator's own, by the names under which it makes them, before the pods."""
    made: set[tuple[str, str]] = set()
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            pod = manifest["spec"]["template"]["spec"]
            own = manifest["metadata"]["ownerReferences"][0]["name"]
            assert ("ServiceAccount", pod["serviceAccountName"]) in made
            claims = [v["persistentVolumeClaim"]["claimName"] for v in pod["volumes"] if "persistentVolumeClaim" in v]
            mine = [name for name in claims if name.startswith(f"{own}-")]
            assert {("PersistentVolumeClaim", name) for name in mine} <= made
            mounts = {mount["name"] for each in pod["containers"] for mount in each["volumeMounts"]}
            assert mounts == {volume["name"] for volume in pod["volumes"]}
        made.add((manifest["kind"], manifest["metadata"]["name"]))


def test_cluster_is_the_only_thing_that_rendering_asks_for() -> None:
    """The same pool in the same cluster is the same for ever."""
    document, facts = SITUATIONS["two-gpu-types"]

    assert rendered(document, facts) == rendered(document, facts)
    assert facts is FACTS
