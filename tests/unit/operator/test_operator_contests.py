"""Fields that somebody else goes on changing."""

from hypothesis import given
from hypothesis import strategies as st

from chimera_operator.cluster.contests import CAP, FIRST, LIMIT, PEACE, Contests
from chimera_operator.rendering.manifest import ObjectKey

KEY = ObjectKey("v1", "Service", "ns", "a")


def test_the_first_change_is_set_back_at_once() -> None:
    """A person who edits a child sees it repaired."""
    assert Contests().wait(KEY, 0.0) == 0.0


def test_each_change_is_set_back_later_than_the_one_before() -> None:
    """Waits double up to ten minutes, so that two controllers do not overwrite each other for ever."""
    contests, now, waits = Contests(), 0.0, []
    for _ in range(7):
        contests.set_back(KEY, now)
        waits.append(contests.wait(KEY, now))
        now += waits[-1]

    assert waits == [FIRST, 2 * FIRST, 4 * FIRST, 8 * FIRST, 16 * FIRST, CAP, CAP]


def test_peace_is_remembered_as_peace() -> None:
    """An hour without a change, and the next one is repaired at once."""
    contests = Contests()
    contests.set_back(KEY, 0.0)

    assert contests.wait(KEY, PEACE) == 0.0
    contests.set_back(KEY, PEACE)
    assert contests.wait(KEY, PEACE) == FIRST


def test_objects_do_not_wait_for_one_another() -> None:
    """A contested Service delays no other."""
    contests = Contests()
    contests.set_back(KEY, 0.0)

    assert contests.wait(KEY._replace(name="b"), 0.0) == 0.0


def test_memory_is_bounded() -> None:
    """The oldest are forgotten, and set back at once the next time."""
    contests = Contests()
    for number in range(LIMIT + 1):
        contests.set_back(KEY._replace(name=str(number)), 0.0)

    assert contests.wait(KEY._replace(name="0"), 0.0) == 0.0
    assert contests.wait(KEY._replace(name="1"), 0.0) == FIRST


@given(st.lists(st.floats(0.0, 1000.0), max_size=20))
def test_nobody_waits_longer_than_the_cap(steps: list[float]) -> None:
    """Whenever changes come, a wait is between nothing and ten minutes."""
    contests, now = Contests(), 0.0
    for step in steps:
        now += step
        if contests.wait(KEY, now) == 0.0:
            contests.set_back(KEY, now)
        assert 0.0 <= contests.wait(KEY, now) <= CAP + 1e-6
