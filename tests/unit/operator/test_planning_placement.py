"""Spreading a model's replicas over its alternatives."""

import pytest

from chimera_operator.planning.choosing.placement import Spot, spread


def serving(replicas: int, **fields: object) -> Spot:
    """Return an alternative whose replicas all serve."""
    return Spot(replicas=replicas, placed=replicas, serving=replicas, **fields)  # type: ignore[arg-type]


def test_new_replicas_go_to_the_preferred_alternative() -> None:
    """Also where nobody knows of room there: a cluster autoscaler may bring some."""
    assert spread(3, [Spot(), Spot(room=8)]) == (3, 0)


def test_only_those_that_wait_in_vain_move_on() -> None:
    """What has a place on the preferred alternative stays there."""
    assert spread(3, [Spot(replicas=3, placed=1, serving=1, closed=True), Spot(room=8)]) == (1, 2)


def test_they_go_to_the_next_one_that_has_room() -> None:
    """A full alternative is passed over, one with some room takes what fits."""
    waiting = Spot(replicas=4, closed=True)

    assert spread(4, [waiting, Spot(room=0), Spot(room=3), Spot(room=8)]) == (0, 0, 3, 1)


def test_an_alternative_whose_room_nobody_counts_takes_what_is_left() -> None:
    """Devices that are claimed are tried: their own wait tells whether there are any."""
    assert spread(2, [Spot(replicas=2, closed=True), Spot(room=None)]) == (0, 2)


def test_without_room_anywhere_they_wait_for_the_preferred_one() -> None:
    """And are not told to go away from it."""
    assert spread(2, [Spot(replicas=2, closed=True), Spot(room=0), Spot(replicas=0, closed=True)]) == (2, 0, 0)


def test_one_replica_at_a_time_comes_back() -> None:
    """One more than wished is told to be somewhere until it serves; then one goes, and the next may come."""
    steady = {"room": 3, "steady": True}

    assert spread(3, [Spot(**steady), serving(3)]) == (1, 3)
    assert spread(3, [Spot(replicas=1, placed=1, **steady), serving(3)]) == (1, 3)
    assert spread(3, [serving(1, **steady), serving(3)]) == (2, 2)
    assert spread(3, [serving(3, room=0), serving(1)]) == (3, 0)


def test_room_that_is_not_steady_brings_nobody_back() -> None:
    """Cards that are free for a moment are somebody's who restarts."""
    assert spread(3, [Spot(room=3), serving(3)]) == (0, 3)


def test_what_does_not_serve_goes_first() -> None:
    """Fewer wished replicas end those that still load, wherever they are, before any that serves."""
    assert spread(2, [serving(2), Spot(replicas=2, placed=2, serving=0)]) == (2, 0)
    assert spread(2, [Spot(replicas=2, placed=2, serving=0), serving(2)]) == (1, 2)


def test_replicas_that_serve_go_from_the_last_alternative() -> None:
    """The preferred kind of card is kept longest."""
    assert spread(2, [serving(2), serving(2), serving(1)]) == (2, 0, 0)


def test_a_retired_alternative_keeps_what_serves_until_others_do() -> None:
    """It shrinks as others come to serve, and never grows."""
    assert spread(3, [Spot(), serving(3, retired=True)]) == (1, 3)
    assert spread(3, [serving(1), serving(3, retired=True)]) == (2, 2)
    assert spread(5, [serving(2), serving(1, retired=True)])[1] == 1


def test_what_may_be_missing_may_leave_a_retired_alternative_sooner() -> None:
    """Where its replicas hold the cards of those that follow."""
    assert spread(3, [Spot(replicas=1), serving(3, retired=True)], may_miss=1) == (2, 2)


def test_nothing_wished_is_nothing_kept() -> None:
    """Zero replicas end all at once, wherever they are."""
    assert spread(0, [serving(2), Spot(replicas=1), serving(1, retired=True)]) == (0, 0, 0)


@pytest.mark.parametrize("wished", [1, 3, 7])
def test_what_is_as_wished_stays(wished: int) -> None:
    """A second look at a settled model changes nothing."""
    assert spread(wished, [serving(wished), Spot(room=4)]) == (wished, 0)
    assert spread(wished, [Spot(room=0), serving(wished, room=4)]) == (0, wished)


def test_a_wish_that_grows_while_one_moves_grows_at_once() -> None:
    """The replica that was one too many is one of them."""
    assert spread(5, [Spot(replicas=1, placed=1, room=0), serving(3)]) == (2, 3)
