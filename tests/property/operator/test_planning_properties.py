"""What holds of planning's parts whatever they are told."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from pod_manifests import NOW, ago

from chimera_operator.api.scaling import Scaling
from chimera_operator.planning.capacity.cards import Need
from chimera_operator.planning.capacity.room import Room
from chimera_operator.planning.causes.cause import Expected
from chimera_operator.planning.causes.pods import pod_cause
from chimera_operator.planning.causes.texts import LONGEST, clean, last_words
from chimera_operator.planning.choosing.placement import MOVING, Spot, spread
from chimera_operator.planning.choosing.rollout import Turn, waits
from chimera_operator.planning.choosing.scaling import Standing, wish
from chimera_operator.planning.observed import Demand
from chimera_operator.planning.reading.nodes import Node
from chimera_operator.planning.reading.pods import pod

if TYPE_CHECKING:
    from chimera_operator.planning.memory import Sample

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def spots(draw: st.DrawFn, *, retired: bool = False) -> Spot:
    """Return what there may be of a model on an alternative."""
    replicas = draw(st.integers(0, 6))
    placed = draw(st.integers(0, replicas + 1))
    return Spot(
        replicas=replicas,
        placed=placed,
        serving=draw(st.integers(0, min(placed, replicas))),
        closed=draw(st.booleans()),
        retired=retired,
        room=draw(st.none() | st.integers(0, 6)),
        steady=draw(st.booleans()),
    )


@st.composite
def lists(draw: st.DrawFn) -> list[Spot]:
    return [*draw(st.lists(spots(), min_size=1, max_size=4)), *draw(st.lists(spots(retired=True), max_size=2))]


@given(st.integers(0, 12), lists())
def test_placement_never_gives_up_what_serves(wished: int, found: list[Spot]) -> None:
    """As many as wished go on serving, or all where fewer do."""
    told = spread(wished, found)

    kept = sum(min(count, spot.serving) for count, spot in zip(told, found, strict=True))
    assert kept >= min(wished, sum(spot.serving for spot in found))


@given(st.integers(0, 12), st.integers(0, 3), lists())
def test_placement_gives_up_no_more_than_may_be_missing(wished: int, may_miss: int, found: list[Spot]) -> None:
    """Where cards have to change hands."""
    told = spread(wished, found, may_miss=may_miss)

    kept = sum(min(count, spot.serving) for count, spot in zip(told, found, strict=True))
    assert kept >= min(wished - may_miss, sum(spot.serving for spot in found))


@given(st.integers(0, 12), lists())
def test_placements_sum_to_what_is_wished(wished: int, found: list[Spot]) -> None:
    """Or to one more while replicas move, or to what serves where that is more."""
    told = spread(wished, found)

    assert wished <= sum(told) <= max(wished + MOVING, sum(spot.serving for spot in found))
    assert min(told) >= 0


@given(st.integers(0, 12), lists())
def test_retired_alternatives_never_grow(wished: int, found: list[Spot]) -> None:
    """They only ever lose replicas."""
    told = spread(wished, found)

    assert all(count <= spot.replicas for count, spot in zip(told, found, strict=True) if spot.retired)


@given(st.integers(0, 8), lists())
def test_placement_comes_to_rest_on_the_named_alternatives(wished: int, found: list[Spot]) -> None:
    """Where every replica that is told to be somewhere comes to serve there, a few looks are enough."""
    for _ in range(40):
        told = spread(wished, found)
        found = [
            Spot(replicas=count, placed=count, serving=count, retired=spot.retired, room=0)
            for count, spot in zip(told, found, strict=True)
        ]

    assert spread(wished, found) == tuple(spot.replicas for spot in found)
    assert sum(spot.replicas for spot in found if not spot.retired) == wished
    assert not any(spot.replicas for spot in found if spot.retired)


turns = st.builds(Turn, changed=st.booleans(), settled=st.booleans(), stalled=st.booleans(), serving=st.integers(0, 4))


@given(found=st.lists(turns, max_size=5), held=st.booleans())
def test_at_most_one_serving_alternative_begins_a_rollout(*, found: list[Turn], held: bool) -> None:
    """And none while another is on its way, or while all are held."""
    flags = waits(found, held=held)

    going = [turn for turn, waiting in zip(found, flags, strict=True) if turn.changed and turn.serving and not waiting]
    assert len(going) <= (0 if held or any(turn.rolling for turn in found) else 1)


demands = st.none() | st.builds(
    Demand,
    backlog_tokens=st.integers(0, 10**6),
    waiting=st.integers(0, 3),
    idle_seconds=st.floats(0, 5000),
)


@given(st.lists(st.tuples(demands, st.integers(0, 60)), max_size=40), st.integers(0, 12), st.integers(1, 4))
def test_scaling_keeps_its_bounds(looks: list[tuple[Demand | None, int]], begun: int, least: int) -> None:
    """Whatever is asked for in whatever rhythm; and what nobody can tell takes nothing away."""
    scaling = Scaling.model_validate(
        {"auto": {"minReplicas": least, "maxReplicas": 8, "scaleToZero": {"idleSeconds": 60}}}
    )
    now, wished = BEGIN, begun
    samples: tuple[Sample, ...] = ()
    for demand, seconds in looks:
        now += timedelta(seconds=seconds)
        found = wish(scaling, Standing(wished=wished, serving=wished, demand=demand), samples, now=now)
        assert found.replicas == 0 or least <= found.replicas <= 8
        assert demand is not None or found.replicas >= min(wished, 8)
        wished, samples = found.replicas, found.samples


@given(st.text(max_size=2000))
def test_a_cleaned_text_is_a_short_line(text: str) -> None:
    """And cleaning it again changes nothing."""
    cleaned = clean(text)

    assert len(cleaned) <= LONGEST
    assert not any(ord(character) < 32 for character in cleaned)
    assert clean(cleaned) == cleaned


@given(st.text(max_size=200), st.from_regex(r"hf_[A-Za-z0-9]{20,34}", fullmatch=True), st.text(max_size=200))
def test_no_token_gets_through(before: str, token: str, after: str) -> None:
    """Whatever stands around it, if it begins a word."""
    assert token not in clean(f"{before} {token} {after}")
    assert token not in last_words(f"{before}\nHTTPError: 401 for {token} {after}")


WORDS = st.sampled_from(
    ["", "ErrImagePull", "CrashLoopBackOff", "CreateContainerConfigError", "ContainerCreating", "RunContainerError"]
)
MOMENTS = st.integers(0, 10_000).map(ago)
ENDS = st.fixed_dictionaries(
    {"exitCode": st.integers(0, 255)},
    optional={
        "reason": st.sampled_from(["OOMKilled", "Error", "Completed"]),
        "message": st.text(max_size=300),
        "startedAt": MOMENTS,
        "finishedAt": MOMENTS,
    },
)
STATES = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"running": st.fixed_dictionaries({"startedAt": MOMENTS})}),
    st.fixed_dictionaries({"waiting": st.fixed_dictionaries({"reason": WORDS, "message": st.text(max_size=200)})}),
    st.fixed_dictionaries({"terminated": ENDS}),
)
STATUSES = st.fixed_dictionaries(
    {"name": st.just("engine"), "state": STATES},
    optional={
        "ready": st.booleans(),
        "started": st.booleans(),
        "restartCount": st.integers(0, 9),
        "lastState": st.just({}) | st.fixed_dictionaries({"terminated": ENDS}),
    },
)
CONDITIONS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["PodScheduled", "Ready", "DisruptionTarget"]),
        "status": st.sampled_from(["True", "False", "Unknown"]),
    },
    optional={"reason": WORDS, "message": st.text(max_size=300), "lastTransitionTime": MOMENTS},
)
PODS = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries({"name": st.just("p")}, optional={"deletionTimestamp": MOMENTS}),
        "spec": st.fixed_dictionaries(
            {"containers": st.just([{"name": "engine"}])}, optional={"nodeName": st.sampled_from(["", "n"])}
        ),
        "status": st.fixed_dictionaries(
            {},
            optional={
                "phase": st.sampled_from(["Pending", "Running", "Failed", "Succeeded"]),
                "reason": WORDS,
                "conditions": st.lists(CONDITIONS, max_size=3),
                "containerStatuses": st.lists(STATUSES, max_size=2),
            },
        ),
    }
)


@given(PODS)
def test_every_pod_is_judged(manifest: dict[str, Any]) -> None:
    """Whatever state it is in: what serves has no cause, and a cause has a sentence that is short."""
    found = pod(manifest)
    need = Need(resource="nvidia.com/gpu", count=2, selector={}, tolerations=())

    cause = pod_cause(found, Expected(need=need, startup=timedelta(minutes=30), now=NOW))

    assert cause is None or not found.serving
    assert cause is None or 0 < len(cause.message) < 3 * LONGEST


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=6), st.integers(1, 4), st.integers(0, 20))
def test_room_shrinks_by_what_is_taken(found: list[tuple[int, int]], count: int, replicas: int) -> None:
    """By exactly so many replicas, as long as there is any."""
    resource = "nvidia.com/gpu"
    room = Room(
        tuple(
            Node(name=str(number), allocatable={resource: total}, used={resource: used})
            for number, (total, used) in enumerate(found)
        )
    )
    need = Need(resource=resource, count=count, selector={}, tolerations=())
    before = room.fits(need)

    assert before is not None
    assert room.taking(need, replicas).fits(need) == max(0, before - replicas)
