"""What clients saw of a fault, from their samples."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chimera_bench.load.client import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Requests that were to be sent from the fault on.

    Attributes:
        asked: How many.
        failed: Those that no engine answered.
        statuses: What these got instead, and how many of them; see `Sample.status`.
        slowest: Seconds until the one that took longest was over, whatever became of it.
        recovery: Seconds from the fault to the last request that failed; 0 where none did.
    """

    asked: int
    failed: int
    statuses: Mapping[int, int]
    slowest: float
    recovery: float

    @classmethod
    def of(cls, samples: Sequence[Sample], at: float) -> "Outage":
        """Return what became of requests that were under way at a moment, or were sent later.

        Args:
            samples: Of all requests.
            at: When the fault was made, on the clients' clock.
        """
        touched = [sample for sample in samples if sample.ended >= at]
        failed = [sample for sample in touched if not sample.good]
        return cls(
            asked=len(touched),
            failed=len(failed),
            statuses=Counter(sample.status for sample in failed),
            slowest=max((sample.seconds for sample in touched), default=0.0),
            recovery=max((sample.due - at for sample in failed), default=0.0),
        )

    @property
    def share(self) -> float:
        """Of the requests that failed."""
        return self.failed / max(1, self.asked)

    def __str__(self) -> str:
        statuses = ", ".join(f"{count} × {status or 'broken'}" for status, count in sorted(self.statuses.items()))
        if not self.failed:
            return f"0 of {self.asked} failed"
        return (
            f"{self.failed} of {self.asked} failed ({statuses}), the slowest after {self.slowest:.2f} s, "
            f"the last {max(0.0, self.recovery):.2f} s after the fault"
        )
