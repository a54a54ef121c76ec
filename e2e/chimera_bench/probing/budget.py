"""What asking may cost, and how much of it is left."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

_SYNTAX = re.compile(r"(?P<amount>[0-9]{1,12})(?P<unit>requests|tokens)")


class Unit(StrEnum):
    """What is counted."""

    REQUESTS = "requests"
    TOKENS = "tokens"


class BudgetError(ValueError):
    """A budget that is not one, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Budget:
    """So many requests, or so many tokens of prompts and answers together."""

    amount: int
    unit: Unit

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a budget such as `300requests` or `200000tokens`.

        Raises:
            BudgetError: It is written otherwise, or is nothing.
        """
        found = _SYNTAX.fullmatch(text)
        if found is None or int(found["amount"]) == 0:
            raise BudgetError("the budget must be a number with its unit, such as 300requests or 200000tokens")
        return cls(int(found["amount"]), Unit(found["unit"]))


class Meter:
    """Counts what was spent and keeps requests under way from spending more than is left.

    Args:
        budget: None is without end.
        reserve: Tokens that one request takes at most.

    Attributes:
        requests: Answered.
        tokens: Of these, prompts and answers together.
        under_way: Requests begun and not yet answered.
    """

    def __init__(self, budget: Budget | None, *, reserve: int) -> None:
        self._budget = budget
        self._reserve = reserve
        self.requests = 0
        self.tokens = 0
        self.under_way = 0

    def fits(self) -> bool:
        """Tell whether one more request stays within the budget whatever those under way will take."""
        if self._budget is None:
            return True
        begun = self.under_way + 1
        if self._budget.unit is Unit.REQUESTS:
            return self.requests + begun <= self._budget.amount
        return self.tokens + begun * self._reserve <= self._budget.amount

    def begin(self) -> None:
        """Count a request that is sent now."""
        self.under_way += 1

    def end(self, tokens: int) -> None:
        """Count its answer."""
        self.under_way -= 1
        self.spend(tokens)

    def spend(self, tokens: int) -> None:
        """Count an answer that came before this run."""
        self.requests += 1
        self.tokens += tokens
