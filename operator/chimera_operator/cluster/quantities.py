"""Kubernetes' quantities: one amount, many spellings, of which the API server keeps its own. Pure."""

import re
from decimal import Decimal, InvalidOperation

_BINARY = {unit: Decimal(1024) ** power for power, unit in enumerate(("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))}
_DECIMAL = {
    unit: Decimal(10) ** power
    for unit, power in {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}.items()
}
_FACTORS = {**_BINARY, **_DECIMAL}
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]{1,3})?)([a-zA-Z]{0,2})")


def amount(value: object) -> Decimal | None:
    """Return how much a quantity is, such as `500m`, `1Gi`, `2e3` or a number; None where it is none."""
    matched = _QUANTITY.fullmatch(str(value))
    if isinstance(value, bool) or matched is None or matched[2] not in _FACTORS:
        return None
    try:
        return Decimal(matched[1]) * _FACTORS[matched[2]]
    except InvalidOperation:
        return None
