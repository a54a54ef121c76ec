"""Whatever engines write and whenever they are asked, the rules of reading and pacing hold."""

from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st
from metrics_pages import vllm_page

from chimera_router.engines import page as pages
from chimera_router.engines.belief import Witness
from chimera_router.engines.pacing import FAST, JITTER, RETRY, SLOW, Activity, Pace, Timetable
from chimera_router.engines.page import MAX_REQUESTS
from chimera_router.engines.profiles import PROFILES, VLLM
from chimera_router.engines.types import Outcome, Reading

numbers = st.one_of(
    st.floats(), st.integers(), st.sampled_from(["NaN", "+Inf", "-Inf", "", "1_0", "0x10", "1e999", "three", "٣"])
)
names = [name for profile in PROFILES.values() for name in (*profile.running, *profile.waiting, *profile.kv_usage)]
scraps = st.one_of(
    st.sampled_from([b"\n", b"{", b"}", b" ", b'"', b"\\", b"\r", b"# TYPE ", b'priority="', b",", b"1", b"-", *names]),
    st.binary(max_size=8),
)


@given(st.lists(scraps, max_size=60).map(b"".join), st.sampled_from(sorted(PROFILES)))
@example(b"vllm:num_requests_running", "vllm")
@example(b"\nvllm:num_requests_running{", "vllm")
def test_any_bytes_are_read(page: bytes, profile: str) -> None:
    """No page is an error, and what is read makes sense."""
    found = pages.read(page, PROFILES[profile])

    assert found in {Outcome.MISSING, Outcome.ABSURD} or _makes_sense(found)


@given(numbers, numbers, numbers)
def test_only_numbers_that_can_be_are_believed(running: object, waiting: object, kv_usage: object) -> None:
    """Whatever a page claims, what is believed of it is finite, not negative and not huge."""
    found = pages.read(vllm_page(running, waiting, kv_usage), VLLM)

    assert found in {Outcome.MISSING, Outcome.ABSURD} or _makes_sense(found)


def _makes_sense(found: Reading | Outcome) -> bool:
    return (
        isinstance(found, Reading)
        and 0 <= found.running <= MAX_REQUESTS
        and 0 <= found.waiting <= MAX_REQUESTS
        and 0.0 <= found.kv_usage <= 1.0
    )


counts = st.integers(0, MAX_REQUESTS // 8)


@given(st.lists(st.tuples(counts, counts, st.floats(0.0, 1.0)), min_size=1, max_size=8), st.binary(max_size=20))
def test_what_ranks_say_is_what_is_read(ranks: list[tuple[int, int, float]], label: bytes) -> None:
    """Numbers come through a page unchanged, whatever is in its labels."""
    label = label.replace(b"\n", b"\\n").replace(b'"', b'\\"')
    families = zip(*ranks, strict=True)
    lines = [
        b'%s{engine="%d",model_name="%s"} %r\n' % (name, engine, label, value)
        for name, family in zip((VLLM.running[0], VLLM.waiting[0], VLLM.kv_usage[0]), families, strict=True)
        for engine, value in enumerate(family)
    ]
    running, waiting, usage = zip(*ranks, strict=True)

    assert pages.read(b"".join(lines), VLLM) == Reading(running=sum(running), waiting=sum(waiting), kv_usage=max(usage))


@given(st.lists(st.tuples(counts, counts, st.floats(0.0, 1.0), st.integers(0, 3), st.floats(0.0, 20.0)), max_size=20))
def test_load_is_believed_only_of_engines_that_move(said: list[tuple[int, int, float, int, float]]) -> None:
    """A claim of load that is believed follows a change within ten seconds; a claim of none always is."""
    witness, now = Witness(VLLM), 0.0
    changed, last = None, None
    for *claim, pause in said:
        now += pause
        if last not in {None, tuple(claim)}:
            changed = now
        last = tuple(claim)
        outcome, metrics = witness.hear(vllm_page(*claim[:3], made=claim[3]), now)
        moves = changed is not None and now - changed < 10.0
        assert (outcome is Outcome.BELIEVED) == (metrics is not None) == (moves or not claim[0] + claim[1])


ADDRESSES = [f"10.0.0.{number}:8000" for number in range(1, 6)]
pauses = st.floats(0.0, 6.0)
events = st.one_of(
    st.tuples(st.just("pass"), pauses),
    st.tuples(st.just("hurry"), st.sampled_from(ADDRESSES)),
    st.tuples(st.just("settle"), st.sampled_from(list(Activity))),
    st.tuples(st.just("list"), st.sets(st.sampled_from(ADDRESSES))),
)


@given(st.lists(events, max_size=60), st.floats(0.0, 1.0, exclude_max=True))
def test_every_engine_is_asked_in_time_and_never_too_often(history: Sequence[tuple[str, object]], drawn: float) -> None:
    """Whatever happens, each listed engine is under question or has a turn, within bounds of its last one."""
    pace = Pace()
    timetable, now = Timetable(pace, draw=lambda: drawn), 0.0
    timetable.add(ADDRESSES, now)
    listed, asked, under_question = set(ADDRESSES), dict[str, float](), list[str]()
    for kind, value in history:
        match kind, value:
            case "pass", float(pause):
                now += pause
            case "hurry", str(address):
                timetable.hurry(address, now)
            case "settle", Activity() as seems if under_question:
                timetable.settle(under_question.pop(), seems, now)
            case "list", set(addresses):
                listed = {str(address) for address in addresses}
                timetable.keep(listed)
                timetable.add(listed, now)
                under_question = [address for address in under_question if address in listed]
                asked = {address: moment for address, moment in asked.items() if address in listed}
        for address in timetable.take(now):
            assert address in listed
            assert address not in under_question
            assert now - asked.get(address, -FAST) >= FAST * (1.0 - JITTER) - 1e-9
            asked[address] = now
            under_question.append(address)
        due = timetable.due()
        assert (due is None) == (listed == set(under_question))
        assert due is None or now < due <= now + max(SLOW, RETRY)


@given(st.lists(st.sampled_from(list(Activity)), min_size=1, max_size=30))
def test_intervals_stay_within_their_bounds(seems: list[Activity]) -> None:
    """Fast where there is traffic, and never slower than the bound of what the engine seems to be."""
    pace, before, last = Pace(), None, 0.0
    bounds = {Activity.BUSY: FAST, Activity.IDLE: SLOW, Activity.SILENT: RETRY}
    for each in seems:
        last = pace.interval(each, before, last)
        before = each
        assert FAST <= last <= bounds[each]
