from chimera_router.flowcontrol import shares
from chimera_router.flowcontrol.shares import FairShares


def test_who_has_been_served_less_has_the_lesser_tag() -> None:
    """Turns follow what each was served."""
    fair = FairShares()
    for name in ("a", "b"):
        fair.enter(name)

    fair.charge("a", 10)
    fair.charge("b", 4)

    assert (fair.tag("a"), fair.tag("b")) == (10, 4)


def test_time_without_requests_earns_no_credit() -> None:
    """A newcomer starts at the tag served last, not at nothing."""
    fair = FairShares()
    fair.enter("busy")
    for _ in range(3):
        fair.charge("busy", 10)

    fair.enter("new")

    assert fair.tag("new") == 20


def test_leaving_does_not_wipe_out_what_was_served() -> None:
    """Who asks one request at a time is charged for all of them, while others wait."""
    fair = FairShares()
    for name in ("a", "b"):
        fair.enter(name)
    fair.charge("a", 10)
    fair.leave("a")

    fair.enter("a")

    assert (fair.tag("a"), fair.tag("b")) == (10, 0)


def test_past_is_forgotten_once_nobody_waits() -> None:
    """A new busy time begins equal."""
    fair = FairShares()
    fair.enter("a")
    fair.charge("a", 10)
    fair.leave("a")

    fair.enter("a")

    assert fair.tag("a") == 0


def test_memory_of_those_who_left_is_bounded() -> None:
    """Tenants that come once are forgotten while another one waits."""
    fair = FairShares()
    fair.enter("stays")
    for number in range(2 * shares._KEPT):
        name = f"t{number}"
        fair.enter(name)
        fair.charge(name, 1)
        fair.leave(name)
        fair.charge("stays", 1)

    assert len(fair._left) <= shares._KEPT + 1
