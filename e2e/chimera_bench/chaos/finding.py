"""What a fault has shown."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One row of the report.

    Attributes:
        row: Its number, and a letter where a fault is made in several ways.
        fault: What was done.
        rule: What has to hold.
        figure: What was measured.
        passed: Whether it held.
    """

    row: str
    fault: str
    rule: str
    figure: str
    passed: bool
