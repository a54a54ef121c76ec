from pools import FAST, endpoint, model, prediction, predictions, request, snapshot, state

from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import Decision, InFlight

HOME = endpoint("a-0", "a")


def decision(tokens: float = 100.0) -> Decision:
    outcome = Scheduler().schedule(
        request(), predictions(a=prediction(tokens=tokens)), snapshot([model("a", FAST)], [state(HOME)]), now=0.0
    )
    assert isinstance(outcome, Decision)
    return outcome


def test_ledger_counts_a_request_from_open_to_close() -> None:
    """A request weighs its predicted tokens and its prompt until it is released."""
    ledger = Ledger()

    ticket = ledger.open(decision(), prompt_tokens=30)
    held = ledger.of(HOME.address)
    ledger.close(ticket)

    assert (held, ledger.of(HOME.address)) == ((InFlight(priority=100, tokens=100.0, context=30),), ())


def test_ledger_backlog_decays_as_tokens_come() -> None:
    """Tokens that have come move from what is expected to what is held."""
    ledger = Ledger()
    ticket = ledger.open(decision(), prompt_tokens=30)

    ledger.progress(ticket, generated=40)

    assert ledger.of(HOME.address) == (InFlight(priority=100, tokens=60.0, context=70),)


def test_ledger_keeps_one_token_for_a_request_that_outruns_its_prediction() -> None:
    """A request longer than predicted still weighs something."""
    ledger = Ledger()
    ticket = ledger.open(decision(), prompt_tokens=30)

    ledger.progress(ticket, generated=500)

    assert ledger.of(HOME.address)[0].tokens == 1.0


def test_ledger_release_twice_changes_nothing() -> None:
    """Closing again, or reporting progress after it, is harmless."""
    ledger = Ledger()
    first, second = ledger.open(decision(), prompt_tokens=1), ledger.open(decision(), prompt_tokens=2)

    ledger.close(first)
    ledger.close(first)
    ledger.progress(first, generated=5)

    assert [entry.context for entry in ledger.of(HOME.address)] == [2]
    ledger.close(second)
    assert ledger.of(HOME.address) == ()
