"""What a batch is made of: sequences, and stretches of time in which none comes or goes."""

from dataclasses import dataclass, field

from chimera_bench.engine.types import Request

# Share of a step by which a time may miss the end of that step: sums of floats do not come out even.
ROUNDING = 1e-6


@dataclass(slots=True)
class Stretch:
    """Steps of equal length, one after the other, in which the batch stays as it is.

    Attributes:
        begins_at: Seconds on the caller's clock.
        step: Seconds of each step.
        steps: How many, at least 1.
        ends_at: When the last one ends.
    """

    begins_at: float
    step: float
    steps: int
    ends_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.ends_at = self.begins_at + self.step * self.steps

    def ended(self, now: float) -> int:
        """Return the steps that have ended by `now`, the last one never among them: it ends the stretch."""
        return min(self.steps - 1, max(0, int((now - self.begins_at) / self.step + ROUNDING)))


@dataclass(slots=True, eq=False)
class Sequence:
    """A request inside the engine.

    Attributes:
        order: Place in the queue, lowest first; (priority, number of the submission).
        submitted_at: Seconds on the caller's clock.
        generated: Tokens it had when it was last admitted or preempted.
        admitted_in: Steps that had ended when it was last admitted.
    """

    request: Request
    order: tuple[int, int]
    submitted_at: float
    generated: int = 0
    admitted_in: int = 0

    @property
    def context(self) -> int:
        """Tokens to have in the KV cache before the next one can be made."""
        return self.request.prompt_tokens + self.generated

    @property
    def ends_in(self) -> int:
        """Number of the step that makes its last token."""
        return self.admitted_in + self.request.output_tokens - self.generated

    def made_by(self, steps: int) -> int:
        """Return the tokens it has made when this many steps have ended."""
        return self.generated + steps - self.admitted_in
