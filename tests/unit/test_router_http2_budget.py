"""Permits refill with time and with what is earned, up to the bucket's size."""

import pytest

from chimera_router.extproc.http2.budget import Budget
from chimera_router.extproc.http2.errors import Code, ConnectionFault


def test_bucket_holds_so_many_permits() -> None:
    """The one beyond them ends the connection."""
    budget = Budget(3, 1)
    for _ in range(3):
        budget.spend(100.0)

    with pytest.raises(ConnectionFault) as fault:
        budget.spend(100.0)
    assert fault.value.code is Code.ENHANCE_YOUR_CALM


def test_permits_come_back_with_time_and_by_earning() -> None:
    """As many as the rate says, or as were earned; never more than the bucket holds."""
    budget = Budget(3, 1)
    budget.spend(0.0, 3)
    budget.spend(1.0)
    budget.earn(2)
    budget.spend(1.0, 2)
    budget.earn(100)
    budget.spend(1_000.0, 3)

    with pytest.raises(ConnectionFault):
        budget.spend(1_000.0)
