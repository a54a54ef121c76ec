"""What cannot be observed. Losing it only means to wait a window longer, so it may be lost at any time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


class Sample(NamedTuple):
    """How many replicas a model's load asked for, and when."""

    at: datetime
    replicas: int


class Place(NamedTuple):
    """An alternative of a model."""

    model: str
    alternative: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a plan hands to the next one of the same pool.

    Attributes:
        asked: What each model's load asked for within the windows of its scaling, the oldest first.
        free_since: Since when there has been room on alternatives that replicas could come back to.
    """

    asked: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)
    free_since: Mapping[Place, datetime] = field(default_factory=dict)
