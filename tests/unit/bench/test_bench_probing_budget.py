"""Budgets: how they are written, and that they are kept."""

import pytest

from chimera_bench.probing.budget import Budget, BudgetError, Meter, Unit


@pytest.mark.parametrize(
    ("text", "budget"),
    [("300requests", Budget(300, Unit.REQUESTS)), ("200000tokens", Budget(200_000, Unit.TOKENS))],
)
def test_a_budget_is_a_number_with_its_unit(text: str, budget: Budget) -> None:
    """Both units, written out."""
    assert Budget.parse(text) == budget


@pytest.mark.parametrize("text", ["", "300", "requests", "0tokens", "-5tokens", "3.5tokens", "5 tokens", "5seconds"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    """The sentence shows how it is written."""
    with pytest.raises(BudgetError, match="such as 300requests or 200000tokens"):
        Budget.parse(text)


def test_no_budget_has_no_end() -> None:
    """Everything is asked."""
    meter = Meter(None, reserve=10**9)
    meter.spend(10**9)

    assert meter.fits()


def test_requests_under_way_count() -> None:
    """Two are left of three when one is under way, none when three are."""
    meter = Meter(Budget(3, Unit.REQUESTS), reserve=1)
    fits = []
    for _ in range(4):
        fits.append(meter.fits())
        meter.begin()

    assert fits == [True, True, True, False]


def test_tokens_are_reserved_until_the_answer_comes() -> None:
    """As many as a request may take at most; what it did not take is free again."""
    meter = Meter(Budget(1000, Unit.TOKENS), reserve=600)

    meter.begin()
    assert not meter.fits()
    meter.end(100)
    assert meter.fits()
    meter.begin()
    meter.end(400)
    assert not meter.fits()
    assert (meter.requests, meter.tokens, meter.under_way) == (2, 500, 0)


def test_answers_of_earlier_runs_are_spent() -> None:
    """A run that goes on has what its predecessors left."""
    meter = Meter(Budget(2, Unit.REQUESTS), reserve=1)
    meter.spend(50)
    meter.spend(50)

    assert not meter.fits()
