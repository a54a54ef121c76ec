"""What holds for whatever pool is drawn: names, keys, and when pods are replaced."""

import copy
import re
from dataclasses import replace
from typing import Any

from drawn_resources import pools as drawn_pools
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pod_security import breaches
from rendered_pools import ENVOY, FACTS, choices, in_cluster, of_kind, pods_of

from chimera_operator.api.errors import PoolError
from chimera_operator.api.names import LONGEST
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering import kinds
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.manifest import Manifest, key_of
from chimera_operator.rendering.member import members
from chimera_operator.rendering.models.pod import revision
from chimera_operator.rendering.pool import render

LABEL = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?")
MANY = settings(max_examples=25, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])

COEFFICIENTS = {"baseStepMs": 8.0, "stepPerSequenceUs": 30.0, "prefillUsPerToken": 20.0}

facts = st.sampled_from([FACTS, ENVOY, replace(FACTS, apis=frozenset())])


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a pool that a cluster can serve: any that its schema allows, with step times that need no estimate."""
    document = draw(drawn_pools())
    for model in document["spec"]["models"]:
        model["coefficients"] = COEFFICIENTS
        model.setdefault("engine", {})["kvTokens"] = 1000
    return document


def served(document: dict[str, Any], found: Facts) -> tuple[HeterogeneousModelPool, tuple[Manifest, ...]]:
    """Return a pool and what it becomes; documents that break a rule are none."""
    try:
        pool = in_cluster(document)
        return pool, render(pool, choices(pool), found)
    except PoolError:
        assume(False)
        raise


@MANY
@given(document=documents(), found=facts)
def test_names_fit_and_no_two_objects_are_the_same(document: dict[str, Any], found: Facts) -> None:
    """Whatever models, alternatives and pools are called."""
    _, manifests = served(document, found)

    names = [manifest["metadata"]["name"] for manifest in manifests]
    assert all(LABEL.fullmatch(name) and len(name) <= LONGEST for name in names)
    assert len({key_of(manifest) for manifest in manifests}) == len(manifests)


@MANY
@given(document=documents(), found=facts)
def test_labels_of_ours_are_valid(document: dict[str, Any], found: Facts) -> None:
    """Of objects and pods, and those that select them."""
    _, manifests = served(document, found)

    for deployment in of_kind(manifests, kinds.DEPLOYMENT):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        ours = {key: value for key, value in labels.items() if key.startswith(("chimera.dev/", "app.kubernetes.io/"))}
        assert all(VALUE.fullmatch(value) and len(value) <= LONGEST for value in ours.values())
        assert deployment["spec"]["selector"]["matchLabels"].items() <= ours.items()


@MANY
@given(document=documents(), found=facts)
def test_every_pod_keeps_the_restricted_profile(document: dict[str, Any], found: Facts) -> None:
    """No field of a pool opens what it closes."""
    _, manifests = served(document, found)

    assert [breach for pod in pods_of(manifests) for breach in breaches(pod)] == []


@MANY
@given(document=documents(), found=facts)
def test_no_two_deployments_have_the_same_pods(document: dict[str, Any], found: Facts) -> None:
    """Each pod has the labels of one selector only."""
    _, manifests = served(document, found)
    deployments = of_kind(manifests, kinds.DEPLOYMENT)

    for deployment in deployments:
        labels = deployment["spec"]["template"]["metadata"]["labels"].items()
        owners = [each for each in deployments if each["spec"]["selector"]["matchLabels"].items() <= labels]
        assert owners == [deployment]


def revisions(document: dict[str, Any], found: Facts = FACTS) -> dict[str, str]:
    """Return the revision of each model on its first alternative."""
    pool = in_cluster(document)
    decided = choices(pool)
    return {
        member.model.name: revision(
            member,
            engine_profile=decided[member.model.name].profile,
            accelerator=decided[member.model.name].placements[0].accelerator,
            facts=found,
        )
        for member in members(pool)
    }


def changed(document: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return the document with fields of its first model replaced."""
    made = copy.deepcopy(document)
    made["spec"]["models"][0].update(fields)
    return made


@MANY
@given(document=documents())
def test_what_concerns_no_pod_replaces_none(document: dict[str, Any]) -> None:
    """Replicas, routing, another model, the picker, the gateway, another cluster with a newer operator."""
    served(document, FACTS)
    before = revisions(document)
    new = {"name": "another", "source": {"huggingFace": {"repo": "o/a"}}, "parallelism": {"data": 2}}
    spec = document["spec"]
    elsewhere = {
        **document,
        "spec": {
            **{key: value for key, value in spec.items() if key not in {"gateway", "picker", "routing"}},
            "models": [*spec["models"], {**new, "coefficients": COEFFICIENTS, "engine": {"kvTokens": 1}}],
            "picker": {"replicas": 3},
            "gateway": {"parentRefs": [{"name": "inference"}]},
            "routing": {"policy": "RoundRobin", "flowControl": {"enabled": True}},
        },
    }

    scaled = revisions(changed(elsewhere, scaling={"replicas": 7}), replace(ENVOY, picker_image="newer"))

    assert {name: scaled[name] for name in before} == before


@MANY
@given(document=documents(), other=st.sampled_from(["args", "env", "image", "labels", "drain", "aliases"]))
def test_what_concerns_a_pod_replaces_it_and_no_other(document: dict[str, Any], other: str) -> None:
    """A changed template is a new revision, of that model alone."""
    pool, _ = served(document, FACTS)
    assume(pool.spec.models[0].engine.type == "VLLM" or other != "args")  # of which a simulator takes none
    first = document["spec"]["models"][0]
    before = revisions(document)
    engine = {key: value for key, value in first["engine"].items() if key not in {"args", "env", "image"}}
    change: dict[str, Any] = {
        "args": {"engine": {**engine, "args": ["--seed", "12345"]}},
        "env": {"engine": {**engine, "env": [{"name": "DRAWN", "value": "12345"}]}},
        "image": {"engine": {**engine, "image": "example.com/drawn:12345"}},
        "labels": {"pod": {"labels": {"drawn": "12345"}}},
        "drain": {"rollout": {"drainSeconds": 12345}},
        "aliases": {"aliases": ["drawn-12345"]},
    }[other]

    after = revisions(changed(document, **change))

    assert {name for name in before if after[name] != before[name]} == {first["name"]}


@given(one=st.sampled_from(["nvidia-h100", "nvidia-a40"]), cards=st.sampled_from([1, 2]))
def test_revision_knows_accelerator_and_profile(one: str, cards: int) -> None:
    """Each way to run a model is a revision of its own."""
    model = {
        "name": "small",
        "source": {"huggingFace": {"repo": "o/a"}},
        "parallelism": {"tensor": cards},
        "accelerators": [{"class": one}],
        "coefficients": COEFFICIENTS,
        "engine": {"kvTokens": 1},
    }
    document = {
        "apiVersion": "chimera.dev/v1alpha1",
        "kind": "HeterogeneousModelPool",
        "metadata": {"name": "drawn"},
        "spec": {"models": [model]},
    }

    found = {
        *revisions(document).values(),
        *revisions(changed(document, accelerators=[{"class": "other"}])).values(),
        *revisions(changed(document, accelerators=[])).values(),
        *revisions(changed(document, engine={"kvTokens": 1, "profile": "vllm-0.32"})).values(),
    }

    assert len(found) == 4
