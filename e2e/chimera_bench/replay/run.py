"""One workflow of a replay in virtual time: what it asks next, and what its models were recorded to answer."""

from dataclasses import dataclass, field
from statistics import fmean

from chimera_bench.engine.types import Request
from chimera_bench.replay.results import StageResult, WorkflowResult
from chimera_bench.workload import Arrival
from chimera_router.scheduling.orders import EPOCH
from chimera_router.scheduling.types import Assignment, Decision, SchedulingRequest
from chimera_training.data import Stage, Workflow


@dataclass(slots=True, kw_only=True)
class Run:
    """One workflow under way.

    Attributes:
        arrival: What it is to solve, and when it came.
        ordinal: Number of workflows before it.
        stages: Its requests that have been answered.
        assignment: Where its latest request went.
        retries: Of the request in hand.
    """

    arrival: Arrival
    ordinal: int
    stages: list[StageResult] = field(default_factory=list)
    assignment: Assignment | None = None
    retries: int = 0

    def recorded(self, model: str) -> Workflow:
        """Return the run of a model."""
        return self.arrival.task.runs[model]

    def asks(self, model: str) -> Stage:
        """Return what a model was recorded to make of the next request; where its run was shorter, of its last."""
        stages = self.recorded(model).stages
        return stages[min(len(self.stages), len(stages) - 1)]

    def request(self, now: float) -> SchedulingRequest:
        """Return the request in hand as the scheduler sees it; before a model is chosen, as long as on average."""
        models = [self.assignment.model] if self.assignment else self.arrival.task.runs
        return SchedulingRequest(
            workflow=self.ordinal,
            prompt_tokens=round(fmean(self.asks(model).prompt_tokens for model in models)),
            arrival=EPOCH + now,
            tokens_so_far=sum(stage.output_tokens for stage in self.stages),
            assignment=self.assignment,
        )

    def assign(self, decision: Decision, request: SchedulingRequest) -> None:
        """Remember where the request in hand goes, and what of its conversation is there then."""
        self.assignment = Assignment(
            model=decision.model, endpoint=decision.endpoint.address, seen_tokens=request.prompt_tokens
        )

    def generation(self, decision: Decision) -> Request:
        """Return the request in hand as the engine sees it."""
        asked = self.asks(decision.model)
        return Request(
            id=f"{self.ordinal}/{len(self.stages)}",
            prompt_tokens=max(1, asked.prompt_tokens),
            output_tokens=max(1, asked.output_tokens),
            priority=decision.priority or 0,
            conversation=f"{self.ordinal}",
        )

    def answered(self, model: str) -> bool:
        """Take the answer to the request in hand; tell whether another follows."""
        tokens = self.asks(model).output_tokens
        self.stages.append(StageResult(model=model, output_tokens=tokens, retries=self.retries))
        self.retries = 0
        return len(self.stages) < len(self.recorded(model).stages)

    def give_up(self) -> None:
        """Take it that the request in hand has no answer."""
        self.stages.append(StageResult(model=None, retries=self.retries))

    def result(self, now: float) -> WorkflowResult:
        """Return what came of the workflow, which ends now."""
        model = self.stages[-1].model
        return WorkflowResult(
            task_id=self.arrival.task.task_id,
            latency=now - self.arrival.at,
            stages=tuple(self.stages),
            success=model is not None and self.recorded(model).success,
        )
