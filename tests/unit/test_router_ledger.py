from pools import FAST, endpoint, model, prediction, predictions, request, snapshot, state

from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.load import IDLE, Load, Queue
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import Decision

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

    assert held == Load(requests=1, tokens=100.0, context=30, queue=Queue(((100, 1),), (100.0,)))
    assert ledger.of(HOME.address) is IDLE


def test_ledger_backlog_decays_as_tokens_come() -> None:
    """Tokens that have come move from what is expected to what is held, and the request is no longer queued."""
    ledger = Ledger()
    ticket = ledger.open(decision(), prompt_tokens=30)

    ledger.progress(ticket, generated=40)

    assert ledger.of(HOME.address) == Load(requests=1, tokens=60.0, context=70)


def test_ledger_keeps_one_token_for_a_request_that_outruns_its_prediction() -> None:
    """A request longer than predicted still weighs something."""
    ledger = Ledger()
    ticket = ledger.open(decision(), prompt_tokens=30)

    ledger.progress(ticket, generated=500)

    assert ledger.of(HOME.address).tokens == 1.0


def test_ledger_release_twice_changes_nothing() -> None:
    """Closing again, or reporting progress after it, is harmless."""
    ledger = Ledger()
    first, second = ledger.open(decision(), prompt_tokens=1), ledger.open(decision(), prompt_tokens=2)

    ledger.close(first)
    ledger.close(first)
    ledger.progress(first, generated=5)

    assert (ledger.of(HOME.address).requests, ledger.of(HOME.address).context) == (1, 2)
    ledger.close(second)
    assert ledger.of(HOME.address) is IDLE


def test_ledger_queues_by_rank_then_arrival() -> None:
    """The queue lists the shorter workflow first, and of two alike the one that came first."""
    ledger = Ledger()
    for tokens in (300.0, 100.0, 300.0):
        ledger.open(decision(tokens), prompt_tokens=1)

    queue = ledger.of(HOME.address).queue

    assert queue.places == ((100, 2), (300, 1), (300, 3))
    assert queue.tokens == (100.0, 300.0, 300.0)


def test_ledger_gives_the_same_load_until_something_changes() -> None:
    """What was read stays what it was, and is not made anew while nothing changes."""
    ledger = Ledger()
    ticket = ledger.open(decision(), prompt_tokens=30)
    before, again = ledger.of(HOME.address), ledger.of(HOME.address)

    ledger.progress(ticket, generated=10)

    assert before is again
    assert (before.tokens, ledger.of(HOME.address).tokens) == (100.0, 90.0)
