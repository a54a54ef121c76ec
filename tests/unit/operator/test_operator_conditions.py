"""Since when a condition holds."""

import json
from datetime import UTC, datetime, timedelta

from chimera_operator.api.conditions import (
    LONGEST_MESSAGE,
    Condition,
    ConditionStatus,
    ConditionType,
    Finding,
    conditions,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1, microseconds=5)


def ready(status: ConditionStatus, *, reason: str = "Found", message: str = "") -> Finding:
    return Finding(type=ConditionType.READY, status=status, reason=reason, message=message)


def test_new_condition_holds_since_now() -> None:
    """The time is cut to seconds, as Kubernetes keeps them."""
    (found,) = conditions((), [ready("True")], generation=3, now=LATER)

    assert found == Condition(
        type="Ready",
        status="True",
        reason="Found",
        observed_generation=3,
        last_transition_time=LATER.replace(microsecond=0),
    )


def test_condition_whose_status_stays_keeps_its_time() -> None:
    """Reason, message and generation are the new ones all the same."""
    before = conditions((), [ready("False", reason="Pulling")], generation=1, now=NOON)

    (after,) = conditions(before, [ready("False", reason="Failed", message="why")], generation=2, now=LATER)

    assert after.last_transition_time == NOON
    assert (after.reason, after.message, after.observed_generation) == ("Failed", "why", 2)


def test_condition_whose_status_changes_begins_anew() -> None:
    """There and back is two changes."""
    false = conditions((), [ready("False")], generation=1, now=NOON)
    true = conditions(false, [ready("True")], generation=1, now=LATER)

    assert true[0].last_transition_time == LATER.replace(microsecond=0)


def test_condition_that_is_not_found_is_gone() -> None:
    """The list is what holds now, in the order it was found."""
    before = conditions((), [ready("True")], generation=1, now=NOON)
    degraded = Finding(type=ConditionType.DEGRADED, status="False", reason="Serving")

    assert [each.type for each in conditions(before, [degraded], generation=1, now=LATER)] == ["Degraded"]


def test_message_that_the_schema_would_refuse_is_cut() -> None:
    """What a container said last may be long, and a status that is refused says nothing."""
    (found,) = conditions((), [ready("False", message="x" * 9999)], generation=1, now=NOON)

    assert len(found.message) == LONGEST_MESSAGE


def test_what_is_written_is_read_back() -> None:
    """In Kubernetes' own spelling, with a time that it takes."""
    (found,) = conditions((), [ready("True")], generation=1, now=NOON)
    written = found.model_dump_json(by_alias=True)

    assert '"lastTransitionTime":"2026-01-02T12:00:00Z"' in written
    assert Condition.model_validate_json(written) == found


def test_what_a_newer_operator_wrote_beside_it_is_let_be() -> None:
    """After a step back to an older version the status can still be read."""
    (found,) = conditions((), [ready("True")], generation=1, now=NOON)
    newer = json.loads(found.model_dump_json(by_alias=True)) | {"severity": "Low"}

    assert Condition.model_validate_json(json.dumps(newer)) == found
