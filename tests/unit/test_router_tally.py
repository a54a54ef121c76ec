"""Counts for the status page."""

import pytest
from pools import decision

from chimera_router.parsing.messages import Message
from chimera_router.scheduling.types import Assignment, Endpoint
from chimera_router.tally import Tally
from chimera_router.workflow.conversation import Conversation
from chimera_router.workflow.identity import FoundBy
from chimera_router.workflow.program import Program
from chimera_router.workflow.table import Arrival

DECISION = decision(Endpoint(name="large-0", address="10.0.0.1:1", model="large"))
SAME, OTHER = (Assignment(model=name, endpoint="10.0.0.1:1") for name in ("large", "small"))


def arrival(stage: int, found_by: FoundBy = FoundBy.MESSAGES) -> Arrival:
    return Arrival(
        Program(tenant="", id="wf", ordinal=0, stage=stage),
        found_by,
        Conversation.of((Message("user", "task"),), tenant=""),
    )


def test_a_first_request_is_only_counted() -> None:
    """It has no workflow to be found by and no model to stay with."""
    tally = Tally()

    assert not tally.count(arrival(0, FoundBy.NEW), DECISION, previous=None, now=7.0)
    assert (tally.requests, tally.stages, tally.later_stages) == ({"large": 1}, 1, 0)
    assert (tally.recognised, tally.kept, tally.asked) == (0, 0, {"large": 7.0})


@pytest.mark.parametrize(("previous", "kept"), [(SAME, True), (OTHER, False), (None, False)])
def test_a_later_request_stays_or_leaves(previous: Assignment | None, *, kept: bool) -> None:
    """By the model of its workflow's previous request, whichever endpoint that was on."""
    tally = Tally()

    assert tally.count(arrival(1), DECISION, previous=previous, now=7.0) is kept
    assert (tally.later_stages, tally.recognised, tally.kept) == (1, 1, kept)


def test_only_what_was_found_by_messages_is_recognised() -> None:
    """Headers say it themselves."""
    tally = Tally()
    for found_by in FoundBy:
        tally.count(arrival(1, found_by), DECISION, previous=None, now=7.0)

    assert (tally.later_stages, tally.recognised) == (len(FoundBy), 1)
