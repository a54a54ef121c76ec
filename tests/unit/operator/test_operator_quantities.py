"""Kubernetes' quantities."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera_operator.cluster.quantities import amount


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"),
        ("100m", "0.1"),
        ("1.5", "1.5"),
        ("1Ki", "1024"),
        ("1k", "1000"),
        ("2e3", "2000"),
        ("1E", "1e18"),
        ("2E3", "2000"),
        ("1Ei", str(2**60)),
        ("5u", "0.000005"),
        (3, "3"),
        (0.5, "0.5"),
        ("-1", "-1"),
        ("+2Gi", str(2 * 2**30)),
    ],
)
def test_spellings(text: object, value: str) -> None:
    """Every suffix that Kubernetes knows counts."""
    assert amount(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "a", "1x", "Gi", "1 Gi", "1..2", "1GiB", True, None, "nan", "inf", "1K"])
def test_other_text_is_no_amount(text: object) -> None:
    """What is no quantity is not taken for one."""
    assert amount(text) is None


@given(st.integers(0, 10**6))
def test_thousandths_and_wholes_agree(number: int) -> None:
    """An amount is the same however it is written."""
    assert amount(f"{number}m") == amount(str(Decimal(number) / 1000))
    assert amount(f"{number}Mi") == amount(f"{number * 1024}Ki")
