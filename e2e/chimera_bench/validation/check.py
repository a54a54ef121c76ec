"""One number that a simulation gives beside the one that it should give."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A simulated figure and the known one.

    Attributes:
        case: What was simulated.
        figure: What was looked at, with its unit.
        known: From theory or from a measurement.
        simulated: The same from the simulation.
        tolerance: Share of the known figure by which the simulated one may be off.
    """

    case: str
    figure: str
    known: float
    simulated: float
    tolerance: float

    @property
    def off(self) -> float:
        """By which share of the known figure the simulated one is larger."""
        return self.simulated / self.known - 1.0

    @property
    def holds(self) -> bool:
        """Whether that is within the tolerance."""
        return abs(self.off) <= self.tolerance
