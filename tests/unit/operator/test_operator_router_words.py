"""What a pool may say is what the router takes: they share no code but the contract."""

from dataclasses import asdict
from typing import get_args

from chimera_operator.api.limits import Limits
from chimera_operator.api.picker import Management, Picker
from chimera_operator.api.scaling import ScaleToZero
from chimera_router import settings
from chimera_router.access.modes import Mode
from chimera_router.parsing import limits
from chimera_router.transports import Transport

CAPS = Limits.model_fields
FIGURES = {"16 MiB": 16 << 20, "64 KiB": 64 << 10, "a million": 10**6, "10,000": 10**4, "1 GiB": 1 << 30}


def words(document: type[Picker | Management], field: str) -> set[str]:
    """Return the words that a field takes, in small letters."""
    return {word.lower() for word in get_args(document.model_fields[field].annotation)}


def test_transports_are_the_routers() -> None:
    """Each is a transport, and none is left out."""
    assert words(Picker, "transport") == {transport.value for transport in Transport}


def test_ways_to_know_callers_are_the_routers() -> None:
    """`Token` is the router's file of tokens."""
    assert words(Management, "auth") == {mode.value.removesuffix("-file") for mode in Mode}


def test_requests_may_wait_for_a_model_as_long_as_the_router_lets_them() -> None:
    """More would be refused with the whole configuration."""
    (_, bound) = ScaleToZero.model_fields["wake_seconds"].metadata

    assert bound.le == settings.MAX_WAKE


def test_limits_are_the_routers_and_tell_its_defaults() -> None:
    """Every cap is there, and the default that its description tells is the one that holds where it is unset."""
    told = {name: str(field.description).rpartition("default, ")[2].rstrip(".") for name, field in CAPS.items()}
    figures = {name: FIGURES.get(text) or float(text) for name, text in told.items()}

    assert figures == asdict(limits.Limits())
