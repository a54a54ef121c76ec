"""Which way a rollout takes, and whose turn it is."""

import pytest

from chimera_operator.api.scaling import Rollout
from chimera_operator.planning.choosing.rollout import Turn, strategy, waits


def rollout(**fields: object) -> Rollout:
    return Rollout.model_validate(fields)


@pytest.mark.parametrize(
    ("room", "way"),
    [(1, "Surge"), (0, "InPlace"), (None, "Surge")],
    ids=["a card is free", "none is free", "nobody counts them"],
)
def test_auto_surges_where_it_can(room: int | None, way: str) -> None:
    """A rollout begins with a new replica where one finds a place, or where only the scheduler knows."""
    assert strategy(rollout(), Turn(changed=True, room=room)) == way


def test_auto_keeps_the_way_it_began() -> None:
    """Cards that come and go while replicas are replaced turn nothing around."""
    assert strategy(rollout(), Turn(settled=False, strategy="InPlace", room=5)) == "InPlace"
    assert strategy(rollout(), Turn(settled=False, strategy="Surge", room=0)) == "Surge"
    assert strategy(rollout(), Turn(strategy="InPlace", room=5)) == "InPlace"


def test_auto_goes_on_in_place_where_a_surge_finds_no_card() -> None:
    """What was free at the beginning may have been taken since."""
    assert strategy(rollout(), Turn(settled=False, strategy="Surge", refused=True)) == "InPlace"


def test_auto_waits_where_nothing_may_be_missing() -> None:
    """A maxUnavailable of 0 forbids to go in place, whatever is free."""
    nothing_missing = rollout(maxUnavailable=0)

    assert strategy(nothing_missing, Turn(changed=True, room=0)) == "Surge"
    assert strategy(nothing_missing, Turn(settled=False, strategy="InPlace", refused=True)) == "Surge"


def test_auto_never_surges_where_nothing_may_be_more() -> None:
    """A maxSurge of 0 goes in place, however many cards are free."""
    assert strategy(rollout(maxSurge=0), Turn(changed=True, room=5)) == "InPlace"


def test_auto_follows_recreate_with_a_surge() -> None:
    """A mode that was Recreate before says nothing about what is free."""
    assert strategy(rollout(), Turn(strategy="Recreate")) == "Surge"


@pytest.mark.parametrize("mode", ["Surge", "InPlace", "Recreate"])
@pytest.mark.parametrize("turn", [Turn(changed=True, room=0), Turn(changed=True, room=5), Turn(refused=True)])
def test_other_modes_are_as_given(mode: str, turn: Turn) -> None:
    """Who names a way gets it."""
    assert strategy(rollout(mode=mode), turn) == mode


def test_the_alternative_with_the_fewest_serving_replicas_goes_first() -> None:
    """Where a new revision fails it fails there."""
    assert waits([Turn(changed=True, serving=3), Turn(changed=True, serving=1)], held=False) == (True, False)


def test_the_next_one_waits_until_the_first_has_been_replaced() -> None:
    """Replicas of one model do not go away in two places at a time."""
    rolling = Turn(settled=False, serving=1)

    assert waits([Turn(changed=True, serving=3), rolling], held=False) == (True, False)


def test_a_rollout_that_was_given_up_holds_nobody_back() -> None:
    """On another kind of card the same revision may serve."""
    stalled = Turn(settled=False, stalled=True, serving=1)

    assert waits([Turn(changed=True, serving=3), stalled], held=False) == (False, False)


def test_what_does_not_serve_waits_for_nothing() -> None:
    """There is nothing to lose: not while the picker is replaced, and not while others are."""
    assert waits([Turn(changed=True, serving=0), Turn(settled=False, serving=2)], held=True) == (False, False)


def test_all_that_serves_waits_while_it_is_held() -> None:
    """The picker comes first."""
    assert waits([Turn(changed=True, serving=1), Turn(changed=True, serving=2)], held=True) == (True, True)


def test_what_has_not_changed_waits_for_nothing() -> None:
    """Only a change has a turn."""
    assert waits([Turn(serving=2), Turn(serving=1)], held=True) == (False, False)
