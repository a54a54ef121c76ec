"""The smaller parts of planning: notes, pickers, arrangements, moments."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from operated import H100, Operated, document, engine
from toy_cluster import ToyCluster

from chimera_operator.api.conditions import Condition
from chimera_operator.api.parse import parse_resource
from chimera_operator.api.status import AcceleratorStatus, Failure, ModelStatus, PoolStatus
from chimera_operator.planning.choosing.horizon import again
from chimera_operator.planning.choosing.picker import Pickers, pickers
from chimera_operator.planning.reading.deployments import Deployment
from chimera_operator.planning.status.notes import notes
from chimera_operator.rendering.manifest import Manifest, ObjectKey

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def condition(kind: str, status: str, reason: str, message: str = "") -> Condition:
    return Condition.model_validate(
        {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": NOW}
    )


def status(*conditions: Condition, **model: Any) -> PoolStatus:
    models = (ModelStatus(name="small", **{"phase": "Ready", **model}),)
    return PoolStatus(conditions=conditions, models=models)


def failure(reason: str, pod: str = "p") -> Failure:
    return Failure(pod=pod, reason=reason, message="why", at=NOW)


def told(before: PoolStatus, after: PoolStatus) -> list[tuple[str, str]]:
    return [(note.type, note.reason) for note in notes(before, after)]


def test_what_stays_is_no_news() -> None:
    """Nor is another message for the same reason."""
    before = status(condition("CapacityLimited", "True", "Unschedulable", "3 of 8 free"))
    after = status(condition("CapacityLimited", "True", "Unschedulable", "2 of 8 free"))

    assert told(before, after) == []


@pytest.mark.parametrize(
    ("before", "after", "note"),
    [
        (
            ("Programmed", "True", "Programmed"),
            ("Programmed", "False", "GatewayNotFound"),
            ("Warning", "GatewayNotFound"),
        ),
        (("Programmed", "False", "GatewayNotFound"), ("Programmed", "True", "Programmed"), ("Normal", "Programmed")),
        (
            ("CapacityLimited", "False", "Sufficient"),
            ("CapacityLimited", "True", "SecondChoice"),
            ("Warning", "SecondChoice"),
        ),
        (("Accepted", "True", "Accepted"), ("Accepted", "False", "Invalid"), ("Warning", "Invalid")),
        (("Ready", "True", "Serving"), ("Ready", "False", "ModelsNotReady"), ("Warning", "ModelsNotReady")),
        (("Ready", "False", "PickerNotReady"), ("Ready", "True", "Serving"), ("Normal", "Serving")),
    ],
)
def test_a_condition_that_changes_is_news(
    before: tuple[str, str, str], after: tuple[str, str, str], note: tuple[str, str]
) -> None:
    """A warning where it becomes what nobody wants."""
    assert told(status(condition(*before)), status(condition(*after))) == [note]


def test_a_pool_that_is_not_ready_yet_is_no_news() -> None:
    """Neither at first nor while the reason changes: what is missing is told by what is missing."""
    away = status(condition("Ready", "False", "PickerNotReady"))

    assert told(PoolStatus(), away) == []
    assert told(away, status(condition("Ready", "False", "ModelsNotReady"))) == []


@pytest.mark.parametrize(
    ("before", "after", "notes_"),
    [
        ({}, {"last_failure": failure("CrashLoop")}, [("Warning", "CrashLoop")]),
        ({"last_failure": failure("CrashLoop")}, {"last_failure": failure("CrashLoop", "q")}, []),
        (
            {"last_failure": failure("CrashLoop")},
            {"last_failure": failure("OutOfMemory")},
            [("Warning", "OutOfMemory")],
        ),
        ({"last_failure": failure("CrashLoop")}, {}, [("Normal", "Recovered")]),
        ({"phase": "Ready"}, {"phase": "Updating", "revision": "r2"}, [("Normal", "RollingOut")]),
        ({"phase": "Updating"}, {"phase": "Ready", "revision": "r2"}, [("Normal", "RolledOut")]),
        ({"phase": "Ready"}, {"phase": "Idle"}, [("Normal", "ScaledToZero")]),
        ({"phase": "Idle"}, {"phase": "Pending"}, [("Normal", "Woken")]),
        (
            {"accelerators": (AcceleratorStatus(name="a", replicas=1),)},
            {"accelerators": (AcceleratorStatus(name="a", replicas=1), AcceleratorStatus(name="b", replicas=1))},
            [("Normal", "Placed")],
        ),
    ],
)
def test_what_happens_to_a_model_is_told_once(
    before: dict[str, Any], after: dict[str, Any], notes_: list[tuple[str, str]]
) -> None:
    """The next pod that fails in the same way is the same news."""
    assert told(status(**before), status(**after)) == notes_


KEY = ObjectKey("apps/v1", "Deployment", "default", "pool-picker")


def rendered(image: str = "router:1", *arguments: str) -> Manifest:
    container = {"name": "picker", "image": image, "command": ["x"], "args": list(arguments)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "pool-picker", "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def found(**fields: Any) -> Pickers:
    told = {"settled": True, "stalled": False, **fields}
    live = Deployment(
        manifest=rendered(), name="pool-picker", model="", accelerator="", revision="", replicas=2,
        strategy="Surge", refused="", **told,
    )  # fmt: skip
    return Pickers(key=KEY, deployment=live)


@pytest.mark.parametrize("told", [rendered("router:2"), rendered("router:1", "--log-level=debug")])
def test_models_wait_for_a_picker_that_changes_with_them(told: Manifest) -> None:
    """By its image or its arguments, in the look that sees both for the first time."""
    assert found().come_first([told], news=True)
    assert not found().come_first([told], news=False)


def test_models_wait_for_a_picker_that_is_being_replaced() -> None:
    """Until that is over, or Kubernetes has given it up."""
    assert found(settled=False).come_first([rendered()], news=False)
    assert not found(settled=False, stalled=True).come_first([rendered()], news=False)
    assert not found().come_first([rendered()], news=True)


def test_models_do_not_wait_for_a_picker_that_is_not_there() -> None:
    """A new pool begins with everything at once."""
    assert not replace(found(), deployment=None).come_first([rendered("router:2")], news=True)


def test_pickers_are_the_pods_without_a_model() -> None:
    """And their failures are told apart from models'."""
    pool = Operated(ToyCluster(cards={"n": (4, H100)}), document(engine("small")))
    pool.run(120)
    pool.cluster.broken.add("picker")
    pool.run(30)

    seen = pickers(parse_resource(pool.document), pool.cluster.observed(), now=pool.cluster.now)

    assert (seen.status.replicas, seen.status.ready_replicas) == (2, 0)
    assert {cause.reason.value for cause in seen.causes} == {"CrashLoop"}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [((), None), ((-5,), None), ((30, 10, -3), 10.0), ((0.2,), 1.0)],
    ids=["nothing", "over", "the next one", "a moment away"],
)
def test_the_next_moment_is_the_one_to_look_again(seconds: tuple[float, ...], expected: float | None) -> None:
    """Those that are over do not come again; one that is too near is looked at a second later."""
    assert again([NOW + timedelta(seconds=each) for each in seconds], now=NOW) == expected


def test_a_rollout_that_waits_still_scales() -> None:
    """What keeps its revision for now gets its new number of replicas at once."""
    accelerators = [{"class": "nvidia-h100", "nodeSelector": H100}]
    pool = Operated(
        ToyCluster(cards={"n": (8, H100)}),
        document(engine("small", accelerators=accelerators, scaling={"replicas": 2})),
    )
    pool.run(120)
    old = pool.model("small").revision

    pool.edit("small", engine={"maxNumSeqs": 64}, scaling={"replicas": 4})
    pool.edit(None, picker={"logLevel": "Debug"})
    pool.run(30)

    revisions = {pod.labels["chimera.dev/revision"] for pod in pool.cluster.pods if "chimera.dev/model" in pod.labels}
    assert revisions == {old}
    assert pool.model("small").replicas == 4

    pool.run(600)
    assert pool.model("small").updated_ready_replicas == 4
