"""The whole plan in the toy cluster: whatever happens, in whatever order, it comes to what is wished."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from operated import A100, H100, Operated, document, engine
from toy_cluster import ToyCluster

from chimera_operator.api.parse import parse_resource
from chimera_operator.planning.memory import Memory
from chimera_operator.planning.plan import plan

SLOW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
"""Each example is hours of a pool's life, which takes a second."""

Event = Callable[[Operated], None]


def scaled(model: str, replicas: int) -> Event:
    return lambda pool: pool.edit(model, scaling={"replicas": replicas})


def changed(model: str, sequences: int) -> Event:
    return lambda pool: pool.edit(model, engine={"maxNumSeqs": sequences})


KINDS = {
    "H100 first": [{"class": "nvidia-h100", "nodeSelector": H100}, {"class": "nvidia-a100-80gb", "nodeSelector": A100}],
    "A100 first": [{"class": "nvidia-a100-80gb", "nodeSelector": A100}, {"class": "nvidia-h100", "nodeSelector": H100}],
    "H100 only": [{"class": "nvidia-h100", "nodeSelector": H100}],
    "renamed": [{"class": "nvidia-h100", "name": "fast", "nodeSelector": H100, "waitSeconds": 0}],
}


def moved(model: str, kinds: str) -> Event:
    return lambda pool: pool.edit(model, accelerators=KINDS[kinds])


def picker(level: str) -> Event:
    def change(pool: Operated) -> None:
        pool.document = {**pool.document, "spec": {**pool.document["spec"], "picker": {"logLevel": level}}}
        pool.document["metadata"] = {
            **pool.document["metadata"],
            "generation": pool.document["metadata"]["generation"] + 1,
        }

    return change


EDITS = st.one_of(
    st.builds(scaled, st.sampled_from(["small", "large"]), st.integers(1, 3)),
    st.builds(changed, st.sampled_from(["small", "large"]), st.sampled_from([64, 128, 256])),
    st.builds(moved, st.sampled_from(["small", "large"]), st.sampled_from(sorted(KINDS))),
    st.builds(picker, st.sampled_from(["Debug", "Info"])),
)


def broken(label: str) -> Event:
    return lambda pool: pool.cluster.broken.add(label)


def taken(node: str, cards: int) -> Event:
    return lambda pool: pool.cluster.taken.update({node: cards - pool.cluster.taken[node]})


def lost(node: str) -> Event:
    return lambda pool: pool.cluster.lost.add(node)


def deleted(number: int) -> Event:
    """Somebody deletes one of the children."""

    def delete(pool: Operated) -> None:
        if keys := sorted(pool.cluster.objects):
            pool.cluster._delete(keys[number % len(keys)])

    return delete


def healed(pool: Operated) -> None:
    pool.cluster.broken.clear()
    pool.cluster.lost.clear()
    pool.cluster.taken.clear()
    pool.cluster.shunned.clear()


FAULTS = st.one_of(
    st.builds(broken, st.sampled_from(["small", "large", "picker", "nvidia-h100"])),
    st.builds(taken, st.sampled_from(["h1", "h2", "a1"]), st.integers(0, 4)),
    st.builds(lost, st.sampled_from(["h1", "h2", "a1"])),
    st.builds(deleted, st.integers(0, 30)),
    st.just(Operated.forget),
    st.just(healed),
)


def pool() -> Operated:
    """Return a pool in a cluster that has as many cards of each kind as it may ever wish for, and one to spare."""
    cluster = ToyCluster(cards={"h1": (4, H100), "h2": (6, H100), "a1": (10, A100)})
    models = engine("small", scaling={"replicas": 2}), engine("large", parallelism={"tensor": 2})
    return Operated(cluster, document(*models))


def settled(found: Operated) -> None:
    """Let everything come to rest, and check that it is what is wished."""
    found.run(4000, step=20)
    writes, notes = found.cluster.writes, len(found.notes)
    found.run(900, step=20)

    assert (found.cluster.writes, len(found.notes)) == (writes, notes), "it is at rest"
    assert found.condition("Ready") == ("True", "Serving")
    assert found.condition("Progressing") == ("False", "Complete")
    assert found.condition("Degraded") == ("False", "NoFailure")
    assert found.condition("CapacityLimited") == ("False", "Sufficient")
    for entry in found.document["spec"]["models"]:
        told = found.model(entry["name"])
        wished = entry.get("scaling", {}).get("replicas", 1)
        assert (told.replicas, told.ready_replicas, told.updated_ready_replicas) == (wished, wished, wished)
        first = entry["accelerators"][0]
        assert found.places(entry["name"]) == {first.get("name", first["class"]): wished}
        assert told.last_failure is None


@SLOW
@given(st.lists(st.tuples(EDITS | FAULTS, st.integers(0, 40)), max_size=7))
def test_whatever_happens_a_pool_comes_to_what_is_wished(events: list[tuple[Event, int]]) -> None:
    """Once the cluster is whole again: edits, crashes, lost nodes, cards that others take, deleted children."""
    found = pool()
    found.run(100, step=10)
    for event, ticks in events:
        event(found)
        found.run(10 * ticks, step=10)

    healed(found)
    settled(found)


@SLOW
@given(st.lists(st.tuples(EDITS, st.integers(0, 40)), min_size=1, max_size=7))
def test_edits_alone_never_take_more_replicas_than_may_be_missing(events: list[tuple[Event, int]]) -> None:
    """As many serve all the time as the least that was wished meanwhile, less one where a rollout goes in place."""
    found = pool()
    found.run(200, step=10)
    assert found.condition("Ready") == ("True", "Serving")
    for event, ticks in events:
        before = {each["name"]: found.cluster.serving(each["name"]) for each in found.document["spec"]["models"]}
        found.least.clear()
        event(found)
        found.run(10 * ticks, step=10)
        for entry in found.document["spec"]["models"]:
            wished = entry.get("scaling", {}).get("replicas", 1)
            least = found.least.get(entry["name"], wished)
            assert least >= min(before[entry["name"]], wished) - 1

    settled(found)


@SLOW
@given(st.lists(st.tuples(EDITS | FAULTS, st.integers(0, 20)), max_size=5))
def test_planning_changes_nothing_it_is_given_and_says_the_same_again(events: list[tuple[Event, int]]) -> None:
    """It is a function: of the pool, of what was observed, of the memory and of the time."""
    found = pool()
    for event, ticks in events:
        event(found)
        found.run(10 * ticks, step=10)
    parsed = parse_resource(found.document).model_copy(update={"status": found.status})
    observed = found.cluster.observed()
    copy = deepcopy(observed)

    first = plan(parsed, observed, Memory(), now=found.cluster.now)

    assert first == plan(parsed, copy, Memory(), now=found.cluster.now)
    assert observed == copy


@SLOW
@given(st.integers(1, 3), st.integers(0, 3), st.integers(0, 2), st.integers(0, 4), st.integers(0, 4))
def test_a_rollout_ends_or_says_what_it_waits_for(
    replicas: int, surge: int, unavailable: int, spare: int, alternative: int
) -> None:
    """For every rollout that the pool may wish for, on every number of cards that carry its replicas."""
    if not surge and not unavailable:
        unavailable = 1
    cluster = ToyCluster(cards={"h1": (replicas + spare, H100), "a1": (alternative, A100)})
    rollout: dict[str, Any] = {"maxSurge": surge, "maxUnavailable": unavailable}
    found = Operated(cluster, document(engine("small", scaling={"replicas": replicas}, rollout=rollout)))
    found.run(200, step=10)
    found.least.clear()

    found.edit("small", engine={"maxNumSeqs": 64})
    found.run(3000, step=20)

    assert found.least["small"] >= replicas - unavailable
    if found.model("small").updated_ready_replicas < replicas:
        assert (spare, unavailable) == (0, 0)
        assert found.condition("CapacityLimited") == ("True", "Unschedulable")
