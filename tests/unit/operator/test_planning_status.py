"""What status tells of a pool, from the first look to the last failure."""

from datetime import timedelta
from typing import Any

from operated import H100, Operated, document, engine
from toy_cluster import BEGIN, ToyCluster

from chimera_operator.api.status import PoolStatus

COEFFICIENTS = {"baseStepMs": 8.0, "stepPerSequenceUs": 30.0, "prefillUsPerToken": 20.0}
ONE_KIND = [{"class": "nvidia-h100", "nodeSelector": H100}]


def small(replicas: int = 2, **fields: Any) -> dict[str, Any]:
    return engine("small", accelerators=ONE_KIND, scaling={"replicas": replicas}, **fields)


def operated(*models: dict[str, Any], cards: int = 4) -> Operated:
    return Operated(ToyCluster(cards={"node": (cards, H100)}), document(*(models or (small(),))))


def test_a_pool_goes_from_pending_through_starting_to_ready() -> None:
    """Its phase, counts and conditions follow its pods."""
    pool = operated()

    pool.look()
    assert pool.model("small").phase == "Pending"
    assert pool.condition("Ready") == ("False", "PickerNotReady")
    pool.run(10)
    assert pool.model("small").phase == "Starting"
    assert pool.status is not None
    assert (pool.status.ready_models, pool.status.ready_replicas) == ("0/1", "0/2")
    pool.run(120)

    found = pool.model("small")
    assert (found.phase, found.replicas, found.ready_replicas, found.updated_ready_replicas) == ("Ready", 2, 2, 2)
    assert (pool.status.ready_models, pool.status.ready_replicas) == ("1/1", "2/2")
    assert pool.status.picker.ready_replicas == 2
    assert found.startup_seconds == 60.0
    assert found.engine_profile == "vllm-0.33"
    assert {each.type: each.status for each in pool.status.conditions} == {
        "Accepted": "True",
        "Programmed": "True",
        "Progressing": "False",
        "Ready": "True",
        "Degraded": "False",
        "CapacityLimited": "False",
    }


def test_every_condition_is_about_the_generation_that_was_looked_at() -> None:
    """And keeps its time while it holds."""
    pool = operated()
    pool.run(120)
    since = {each.type: each.last_transition_time for each in pool.status.conditions if pool.status}  # type: ignore[union-attr]

    pool.edit("small", descriptor={"parametersB": 8, "family": "x"})
    pool.run(60)

    assert pool.status is not None
    assert pool.status.observed_generation == 2
    assert {each.observed_generation for each in pool.status.conditions} == {2}
    assert {each.type: each.last_transition_time for each in pool.status.conditions} == since
    assert since["Accepted"] == BEGIN
    assert since["Ready"] > BEGIN + timedelta(seconds=55)


def test_one_model_that_is_away_makes_the_pool_not_ready() -> None:
    """And the message says which."""
    pool = operated(small(1), {**small(1), "name": "other"}, cards=2)
    pool.run(120)
    assert pool.condition("Ready") == ("True", "Serving")

    pool.cluster.broken.add("other")
    pool.run(60)

    assert pool.condition("Ready") == ("False", "ModelsNotReady")
    assert pool.message("Ready").startswith("other: it ends with exit code 1")
    assert pool.condition("Degraded") == ("True", "CrashLoop")
    assert pool.model("other").phase == "Failed"
    assert pool.model("small").phase == "Ready"


def test_fewer_replicas_than_wished_are_degraded_and_still_ready() -> None:
    """One of two serves: requests are answered."""
    pool = operated(small(2), cards=2)
    pool.run(120)
    victim = next(pod for pod in pool.cluster.pods if "chimera.dev/model" in pod.labels)

    pool.cluster.broken.add(victim.name)
    pool.run(10)

    assert pool.model("small").phase == "Degraded"
    assert pool.condition("Ready") == ("True", "Serving")
    assert pool.model("small").last_failure is not None


def test_a_failure_keeps_the_time_at_which_it_was_first_seen_and_goes_with_recovery() -> None:
    """Every restart of a loop is the same failure."""
    pool = operated(small(1))
    pool.run(120)
    pool.cluster.broken.add("small")
    pool.run(10)
    first = pool.model("small").last_failure
    assert first is not None

    pool.run(300)
    later = pool.model("small").last_failure
    assert later is not None
    assert later.at == first.at

    pool.cluster.broken.clear()
    pool.run(120)
    assert pool.model("small").last_failure is None
    assert pool.condition("Degraded") == ("False", "NoFailure")


def test_a_picker_that_fails_is_told_too() -> None:
    """Without one nothing is served, whatever the models do."""
    pool = operated()
    pool.run(120)

    pool.cluster.broken.add("picker")
    pool.run(60)

    assert pool.condition("Ready") == ("False", "PickerNotReady")
    assert pool.condition("Degraded") == ("True", "CrashLoop")
    assert pool.message("Degraded").startswith("picker: ")
    assert pool.condition("Programmed") == ("False", "PickerNotReady")


def test_replicas_that_all_fail_are_no_progress() -> None:
    """Waiting for them is in vain, and the condition says so."""
    pool = operated(small(1))
    pool.cluster.broken.add("small")

    pool.run(120)
    assert pool.condition("Progressing") == ("False", "Blocked")
    pool.run(4000, step=20)
    assert pool.condition("Progressing") == ("False", "Stalled")


def test_a_models_pooled_model_has_its_own_status() -> None:
    """With all replicas, ready or not, and a selector, for whoever scales it."""
    pool = operated(small(3), cards=2)
    pool.run(120)

    assert pool.last is not None
    status = pool.last.models["small"]

    assert (status.replicas, status.ready_replicas, status.phase) == (3, 2, "Degraded")
    assert status.selector == "chimera.dev/model=small,chimera.dev/pool=pool"
    assert status.observed_generation == 1
    assert [each.type for each in status.conditions] == ["Progressing", "Ready", "Degraded", "CapacityLimited"]


def test_somebody_elses_replicas_are_left_out_and_followed() -> None:
    """With external scaling the operator writes no number, and does what the PooledModel says."""
    pool = operated(engine("small", accelerators=ONE_KIND, scaling={"external": {}}))
    pool.run(120)
    key = next(key for key in pool.cluster.objects if key.kind == "PooledModel")
    assert "replicas" not in pool.cluster.objects[key]["spec"]
    assert pool.model("small").ready_replicas == 1

    for replicas in (3, 0):
        pool.cluster.scale("PooledModel", replicas)
        pool.run(120)
        assert pool.model("small").ready_replicas == replicas
        assert pool.cluster.objects[key]["spec"]["replicas"] == replicas
    assert pool.model("small").phase == "Idle"
    assert pool.condition("Ready") == ("True", "Serving")


def test_a_model_on_cpus_names_no_accelerator() -> None:
    """It has one place, and no cards to count."""
    model = {
        "name": "tiny",
        "source": {"huggingFace": {"repo": "x/tiny"}},
        "coefficients": COEFFICIENTS,
        "engine": {"kvTokens": 10_000},
    }
    pool = operated(model)

    pool.run(120)

    found = pool.model("tiny")
    assert (found.phase, found.accelerators) == ("Ready", ())
    assert found.fit is not None
    assert found.fit.verdict == "Unknown"


def test_an_estimate_that_a_model_does_not_fit_is_a_warning() -> None:
    """It is accepted and tried: the weights may be quantised."""
    model = engine(
        "big",
        accelerators=ONE_KIND,
        descriptor={"parametersB": 70},
        coefficients=COEFFICIENTS,
        engine={"kvTokens": 10_000},
    )
    pool = operated(model)

    pool.run(120)

    assert pool.condition("Accepted") == ("True", "MayNotFit")
    assert "unless descriptor.weightsGb says otherwise" in pool.message("Accepted")
    assert pool.model("big").ready_replicas == 1


def test_a_model_that_fits_nowhere_for_sure_is_refused_and_nothing_is_touched() -> None:
    """What ran goes on as it was, and status says why nothing changes."""
    pool = operated(small(2))
    pool.run(120)
    before, writes = dict(pool.cluster.objects), pool.cluster.writes

    pool.edit("small", descriptor={"parametersB": 8, "weightsGb": 500})
    pool.run(120)

    assert pool.condition("Accepted") == ("False", "Invalid")
    assert pool.message("Accepted").startswith("spec.models[0].accelerators: 500.0 GB of weights")
    assert pool.condition("Ready") == ("Unknown", "NotAccepted")
    assert pool.cluster.writes == writes
    assert pool.cluster.objects.keys() == before.keys()
    assert pool.cluster.serving("small") == 2
    assert [note.reason for note in pool.notes if note.type == "Warning"][-1] == "Invalid"

    pool.edit("small", descriptor={"parametersB": 8})
    pool.run(60)
    assert pool.condition("Accepted") == ("True", "Accepted")
    assert pool.condition("Ready") == ("True", "Serving")


def test_an_engine_profile_stays_until_the_pool_names_another() -> None:
    """A newer operator, which knows newer ones, restarts nothing."""
    pool = operated(small(1))
    pool.run(120)
    assert pool.status is not None
    old = pool.model("small").model_copy(update={"engine_profile": "vllm-0.32"})
    pool.status = pool.status.model_copy(update={"models": (old,)})

    pool.look()
    assert pool.model("small").engine_profile == "vllm-0.32"

    pool.edit("small", engine={"profile": "vllm-0.33"})
    pool.look()
    assert pool.model("small").engine_profile == "vllm-0.33"


def test_a_profile_that_this_operator_does_not_know_restarts_nothing() -> None:
    """An older operator, put back, leaves alone what a newer one has made, and says what it lacks."""
    pool = operated(small(1))
    pool.run(120)
    assert pool.status is not None
    newer = pool.model("small").model_copy(update={"engine_profile": "vllm-9.9"})
    pool.status = pool.status.model_copy(update={"models": (newer,)})
    writes = pool.cluster.writes

    pool.look()

    assert pool.condition("Accepted") == ("False", "Invalid")
    assert pool.message("Accepted").startswith("spec.models[0].engine.profile: must be one of")
    assert pool.cluster.writes == writes


def test_another_kind_of_engine_has_profiles_of_its_own() -> None:
    """What was pinned of the kind before says nothing about it."""
    pool = operated(small(1))
    pool.run(120)

    pool.edit("small", engine={"type": "Simulator"}, coefficients=COEFFICIENTS)
    pool.run(300)

    assert pool.model("small").engine_profile == "simulator"
    assert pool.condition("Ready") == ("True", "Serving")


def test_a_lost_status_restarts_nothing() -> None:
    """The replicas themselves tell with which profile they were made."""
    pool = operated(small(1, engine={"profile": "vllm-0.32"}))
    pool.run(120)
    pods = {pod.name for pod in pool.cluster.pods}
    pool.edit("small", engine={})
    pool.status = None

    pool.run(120)

    assert pool.model("small").engine_profile == "vllm-0.32"
    assert {pod.name for pod in pool.cluster.pods} == pods


def test_events_tell_what_happened_once() -> None:
    """From the first look to readiness, without repetition."""
    pool = operated()

    pool.run(300)

    assert [note.reason for note in pool.notes] == ["Accepted", "PickerNotReady", "Placed", "Programmed", "Serving"]
    assert len({note.key for note in pool.notes}) == len(pool.notes)


def test_events_tell_a_rollout_and_a_failure() -> None:
    """With the model's name in front."""
    pool = operated(small(2))
    pool.run(120)
    pool.notes.clear()

    pool.edit("small", engine={"maxNumSeqs": 64})
    pool.run(300)
    pool.cluster.broken.add("small")
    pool.run(60)

    reasons = [note.reason for note in pool.notes]
    assert reasons.index("RollingOut") < reasons.index("RolledOut") < reasons.index("CrashLoop")
    assert all(message.startswith("small: ") for message in pool.told("CrashLoop"))
    assert len(pool.told("CrashLoop")) == 1


def test_the_next_look_is_when_something_may_change_by_itself() -> None:
    """Not more often: a pool that is settled is looked at when something happens."""
    pool = operated(small(1), cards=1)
    pool.run(120)
    assert pool.last is not None
    assert pool.last.again is None

    pool.edit("small", scaling={"replicas": 2})
    pool.run(20)
    assert pool.last.again is not None
    assert 1 <= pool.last.again <= 300


def test_a_status_that_was_written_is_read_back_as_it_was() -> None:
    """So that the next look compares what it wrote itself."""
    pool = operated()
    pool.run(60)
    assert pool.status is not None

    written = pool.status.model_dump_json(by_alias=True, exclude_none=True)

    assert PoolStatus.model_validate_json(written) == pool.status
