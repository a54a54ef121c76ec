import pytest
from pools import decision, endpoint

from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.load import IDLE, Load, Queue

HOME = endpoint("a-0", "a")


def test_ledger_counts_a_request_from_open_to_close() -> None:
    """A request weighs its predicted tokens and its prompt until it is released."""
    ledger = Ledger()

    ticket = ledger.open(decision(HOME, rank=7), prompt_tokens=30)
    held = ledger.of(HOME.address)
    ledger.close(ticket)

    assert held == Load(requests=1, tokens=100.0, context=30, prefill=0.3, queue=Queue.of((7,), (100.0,)))
    assert ledger.of(HOME.address) is IDLE


def test_ledger_backlog_decays_as_tokens_come() -> None:
    """Tokens that have come move from what is expected to what is held, and the request is no longer queued."""
    ledger = Ledger()
    ticket = ledger.open(decision(HOME), prompt_tokens=30)

    ledger.progress(ticket, generated=40)

    assert ledger.of(HOME.address) == Load(requests=1, tokens=60.0, context=70, prefill=0.3)


def test_ledger_keeps_one_token_for_a_request_that_outruns_its_prediction() -> None:
    """A request longer than predicted still weighs something."""
    ledger = Ledger()
    ticket = ledger.open(decision(HOME), prompt_tokens=30)

    ledger.progress(ticket, generated=500)

    assert ledger.of(HOME.address).tokens == 1.0


def test_ledger_release_twice_changes_nothing() -> None:
    """Closing again, or reporting progress after it, is harmless."""
    ledger = Ledger()
    first, second = ledger.open(decision(HOME), prompt_tokens=1), ledger.open(decision(HOME), prompt_tokens=2)

    ledger.close(first)
    ledger.close(first)
    ledger.progress(first, generated=5)

    assert (ledger.of(HOME.address).requests, ledger.of(HOME.address).context) == (1, 2)
    ledger.close(second)
    assert ledger.of(HOME.address) is IDLE


def test_ledger_queues_by_rank_then_arrival() -> None:
    """The queue lists the shorter workflow first, and of two alike the one that came first."""
    ledger = Ledger()
    first, *_ = [
        ledger.open(decision(HOME, tokens=tokens, rank=round(tokens)), prompt_tokens=1)
        for tokens in (300.0, 100.0, 300.4)
    ]

    whole = ledger.of(HOME.address).queue
    ledger.progress(first, generated=1)

    assert whole == Queue.of((100, 300, 300), (100.0, 300.0, 300.4))
    assert ledger.of(HOME.address).queue == Queue.of((100, 300), (100.0, 300.4))


def test_ledger_gives_the_same_load_until_something_changes() -> None:
    """What was read stays what it was, and is not made anew while nothing changes."""
    ledger = Ledger()
    ticket = ledger.open(decision(HOME), prompt_tokens=30)
    before, again = ledger.of(HOME.address), ledger.of(HOME.address)

    ledger.progress(ticket, generated=10)

    assert before is again
    assert (before.tokens, ledger.of(HOME.address).tokens) == (100.0, 90.0)


def test_ledger_spreads_a_prompt_over_the_tokens_that_answer_it() -> None:
    """What no cache holds of a prompt stalls the engine once in as many steps as the answer has tokens."""
    ledger = Ledger()
    cold = ledger.open(decision(HOME, tokens=100.0), prompt_tokens=1000)
    warm = ledger.open(decision(HOME, tokens=50.0, cached=800), prompt_tokens=1000)

    both = ledger.of(HOME.address).prefill
    ledger.close(cold)
    one = ledger.of(HOME.address).prefill
    ledger.close(warm)

    assert (both, one) == (pytest.approx(1000 / 100 + 200 / 50), pytest.approx(200 / 50))
