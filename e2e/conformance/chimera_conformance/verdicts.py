"""What a case may conclude, and how it says so."""

from enum import Enum
from typing import NoReturn


class Verdict(Enum):
    """How a picker did at one case."""

    PASSED = "passed"
    FAILED = "failed"
    UNPROVED = "unproved"  # the picker never came to the point that the case is about; another case says why
    SKIPPED = "skipped"  # the case does not apply to what was asked for


class Conclusion(Exception):  # noqa: N818 - an outcome of a case, not a fault of the kit
    """Ends a case. The text is what came, in place of what the rule asks for."""

    verdict = Verdict.FAILED


class Violation(Conclusion):
    """The picker broke the rule."""


class Unproved(Conclusion):
    """The rule could not be looked at."""

    verdict = Verdict.UNPROVED


class NotApplicable(Conclusion):
    """The rule has no object here."""

    verdict = Verdict.SKIPPED


def require(holds: object, what_came: str) -> None:
    """Raise Violation where the rule does not hold."""
    if not holds:
        raise Violation(what_came)


def assume(holds: object, what_came: str) -> None:
    """Raise Unproved where the case's subject is missing."""
    if not holds:
        raise Unproved(what_came)


def skip(reason: str) -> NoReturn:
    """Raise NotApplicable."""
    raise NotApplicable(reason)
