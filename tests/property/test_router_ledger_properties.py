"""The ledger's sums, held against counting everything anew after each change."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pools import decision, endpoint

from chimera_router.scheduling.ledger import Ledger, Ticket
from chimera_router.scheduling.load import Queue

PLACES = [endpoint(f"e{number}", "a", 8000 + number) for number in range(3)]


@dataclass
class Sent:
    ticket: Ticket
    rank: int
    predicted: float
    prompt: int
    cached: int
    generated: int = 0

    @property
    def left(self) -> float:
        return max(1.0, self.predicted - self.generated)


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.sent: list[Sent] = []
        self.gone: list[Ticket] = []

    @rule(
        place=st.sampled_from(PLACES),
        rank=st.none() | st.integers(-3, 3),
        tokens=st.floats(0, 1000),
        prompt=st.integers(0, 1000),
        cached=st.integers(0, 1000),
    )
    def send(self, *, place: object, rank: int | None, tokens: float, prompt: int, cached: int) -> None:
        made = decision(place, tokens=tokens, rank=rank, cached=cached)  # type: ignore[arg-type]
        ticket = self.ledger.open(made, prompt_tokens=prompt)
        self.sent.append(Sent(ticket, rank or 0, tokens, prompt, cached))

    @rule(index=st.integers(0, 100), more=st.integers(0, 300))
    def generate(self, *, index: int, more: int) -> None:
        if self.sent:
            request = self.sent[index % len(self.sent)]
            request.generated += more
            self.ledger.progress(request.ticket, generated=request.generated)

    @rule(index=st.integers(0, 100))
    def release(self, *, index: int) -> None:
        if self.sent:
            request = self.sent.pop(index % len(self.sent))
            self.ledger.close(request.ticket)
            self.gone.append(request.ticket)

    @rule(index=st.integers(0, 100))
    def hear_of_the_gone(self, *, index: int) -> None:
        if self.gone:
            self.ledger.progress(self.gone[index % len(self.gone)], generated=7)
            self.ledger.close(self.gone[index % len(self.gone)])

    @invariant()
    def sums_are_those_of_the_requests(self) -> None:
        for place in PLACES:
            load = self.ledger.of(place.address)
            here = [request for request in self.sent if request.ticket.address == place.address]
            waiting = sorted((r for r in here if not r.generated), key=lambda r: (r.rank, r.ticket.number))

            assert load.requests == len(here)
            assert load.context == sum(request.prompt + request.generated for request in here)
            assert load.tokens == pytest.approx(sum(request.left for request in here), abs=1e-6)
            assert load.prefill == pytest.approx(
                sum(max(0, r.prompt - r.cached) / max(1.0, r.predicted) for r in here), abs=1e-6
            )
            assert load.queue == Queue.of((r.rank for r in waiting), (r.left for r in waiting))


LedgerMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestLedger = LedgerMachine.TestCase


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.floats(0, 100)), max_size=12),
    st.none() | st.integers(-6, 6),
    st.integers(0, 15),
)
def test_ahead_counts_what_a_newcomer_finds_before_it(
    entries: list[tuple[int, float]], rank: int | None, waiting: int
) -> None:
    """Of the last so many in order, those whose rank is no higher stand before a newcomer."""
    ordered = sorted(entries, key=lambda entry: entry[0])
    queue = Queue.of((each for each, _ in ordered), (tokens for _, tokens in ordered))
    before = [tokens for each, tokens in ordered[max(0, len(ordered) - waiting) :] if rank is None or each <= rank]

    count, tokens = queue.ahead(rank, waiting)

    assert (count, tokens) == (len(before), pytest.approx(sum(before), abs=1e-9))
