"""Conditions over any history of findings."""

from datetime import UTC, datetime, timedelta
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from chimera_operator.api.conditions import Condition, ConditionStatus, ConditionType, Finding, conditions

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
statuses: st.SearchStrategy[ConditionStatus] = st.sampled_from(["True", "False", "Unknown"])


@given(history=st.lists(statuses, min_size=1, max_size=20))
def test_time_is_that_of_the_last_change(history: list[ConditionStatus]) -> None:
    """However often the same is found again."""
    known: tuple[Condition, ...] = ()
    for second, status in enumerate(history):
        finding = Finding(type=ConditionType.READY, status=status, reason="Found")
        known = conditions(known, [finding], generation=1, now=BEGIN + timedelta(seconds=second))

    last_run = [list(run) for _, run in groupby(history)][-1]
    assert known[0].last_transition_time == BEGIN + timedelta(seconds=len(history) - len(last_run))


@given(
    before=st.dictionaries(st.sampled_from(ConditionType), statuses),
    now=st.dictionaries(st.sampled_from(ConditionType), statuses),
)
def test_conditions_do_not_touch_each_other(
    before: dict[ConditionType, ConditionStatus], now: dict[ConditionType, ConditionStatus]
) -> None:
    """Each type has its own time, and exactly the found ones are there."""

    def found(statuses: dict[ConditionType, ConditionStatus]) -> list[Finding]:
        return [Finding(type=kind, status=status, reason="Found") for kind, status in statuses.items()]

    first = conditions((), found(before), generation=1, now=BEGIN)
    second = conditions(first, found(now), generation=2, now=BEGIN + timedelta(seconds=1))

    assert {each.type: each.status for each in second} == {kind.value: status for kind, status in now.items()}
    assert {each.type for each in second if each.last_transition_time == BEGIN} == {
        kind.value for kind, status in now.items() if before.get(kind) == status
    }
