"""What a replay found out, as values."""

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """One request of a workflow.

    Attributes:
        model: Who answered, by its name in the pool; None where every attempt failed.
        output_tokens: As the engine counted them.
        retries: Attempts that failed and were followed by another.
    """

    model: str | None
    output_tokens: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowResult:
    """One workflow, from its arrival to the last byte of its last answer.

    Attributes:
        task_id: What it was to solve.
        latency: Seconds at the models' own speed, whatever the speed of the replay.
        stages: Its requests in order, at least one.
        success: Whether the run of the model that answered last is recorded as right; never for one that was given up.
    """

    task_id: str
    latency: float
    stages: tuple[StageResult, ...]
    success: bool

    @property
    def model(self) -> str | None:
        """The model that answered last; None where the workflow was given up."""
        return self.stages[-1].model

    @property
    def output_tokens(self) -> int:
        """Tokens generated over all stages."""
        return sum(stage.output_tokens for stage in self.stages)

    @property
    def later_stages(self) -> int:
        """Stages after the first."""
        return len(self.stages) - 1

    @property
    def kept_stages(self) -> int:
        """Later stages that the model of the stage before answered."""
        return sum(later.model == earlier.model for earlier, later in pairwise(self.stages))

    @property
    def retries(self) -> int:
        """Attempts that failed and were followed by another, over all stages."""
        return sum(stage.retries for stage in self.stages)
