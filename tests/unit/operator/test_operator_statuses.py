"""Statuses as the API server keeps them."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from chimera_operator.api.conditions import LONGEST_MESSAGE, ConditionType, Finding, conditions
from chimera_operator.api.status import PoolStatus
from chimera_operator.cluster import statuses

THEN, NOW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


def finding(status: str = "True", message: str = "") -> Finding:
    return Finding(type=ConditionType.DEGRADED, status=status, reason="Broken", message=message)  # type: ignore[arg-type]


def live(*found: Finding) -> dict[str, object]:
    status = PoolStatus(conditions=conditions((), found, generation=1, now=THEN))
    return {"metadata": {"generation": 2}, "status": statuses.plain(status)}


def test_a_finding_takes_the_place_of_what_is_said() -> None:
    """Of its type there is one condition, about the generation that was looked at; the others stay."""
    ready = Finding(type=ConditionType.READY, status="True", reason="Serving")
    pool = live(ready, finding("False"))

    made = statuses.with_finding(dict(pool["status"]), finding(), live=pool, now=NOW)  # type: ignore[call-overload]

    assert [(each["type"], each["status"]) for each in made["conditions"]] == [("Ready", "True"), ("Degraded", "True")]
    assert made["conditions"][1]["observedGeneration"] == made["observedGeneration"] == 2
    assert made["conditions"][1]["lastTransitionTime"] == "2026-01-02T00:00:00Z"


def test_a_condition_that_still_holds_keeps_its_time() -> None:
    """Else every look would be a write."""
    pool = live(finding())

    made = statuses.with_finding(dict(pool["status"]), finding(), live=pool, now=NOW)  # type: ignore[call-overload]

    assert made["conditions"][0]["lastTransitionTime"] == "2026-01-01T00:00:00Z"


def test_long_messages_are_cut() -> None:
    """The API server refuses longer ones."""
    pool = live()

    made = statuses.with_finding({}, finding(message="x" * 9000), live=pool, now=NOW)

    assert len(made["conditions"][0]["message"]) == LONGEST_MESSAGE


@given(st.recursive(st.none() | st.booleans() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_any_status_can_be_met(found: object) -> None:
    """One that cannot be read counts as none."""
    status = statuses.read({"status": found})

    assert status is None or status == PoolStatus()


def test_a_status_is_read_as_it_was_written() -> None:
    """It is the one that the last plan made."""
    assert statuses.read(live(finding())) == PoolStatus(conditions=conditions((), [finding()], generation=1, now=THEN))
