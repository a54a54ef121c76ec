"""Where cells are played: a pool, its tasks, what is foreseen of them and what spaces their arrivals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chimera_bench.baselines import CATALOGUE
from chimera_bench.contestants import Background, Setup, Source
from chimera_bench.recorded_tasks import arrival_rate
from chimera_bench.records import Cell, Prices, Record, record
from chimera_bench.replay.foresight import Foresight
from chimera_bench.replay.results import WorkflowResult
from chimera_bench.replay.virtual import replay
from chimera_bench.workload import Arrival, Task, arrivals, poisson, saturation_rate, summed_capacity


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A pool with all that its cells need.

    Attributes:
        workload: What records call it.
        background: The pool, and what may be known of it beforehand.
        tasks: What may arrive, at least one.
        known: What each source foresees of every task.
        gaps: Seconds between requests of a trace, more than `workflows` of them; empty for a Poisson process.
        workflows: How many count in each cell.
        warm_up: Seconds of arrivals before those, which fill the engines and do not count; of a trace no more than it
            has to spare.
    """

    workload: str
    background: Background
    tasks: Sequence[Task]
    known: Mapping[Source, Foresight]
    gaps: Sequence[float]
    workflows: int
    warm_up: float = 0.0

    def load_of(self, share: float) -> float:
        """Return the load at which this share of what all engines serve together arrives."""
        engines = self.background.pool.coefficients
        return share * summed_capacity(self.tasks, engines) / saturation_rate(self.tasks, engines)

    def play(self, cell: Cell) -> Record:
        """Replay the cell's workload under its policy."""
        setup = CATALOGUE[cell.policy].build(self.background, **cell.params)
        results = replay(
            self.arrivals(cell),
            pool=self.background.pool,
            scheduler=setup.scheduler,
            predictions=self._foresight(setup),
            scheduling=setup.queueing,
            flow_control=setup.flow_control,
            seed=cell.seed,
        )
        return self.record(cell, results)

    def rate(self, load: float) -> float:
        """Return the workflows a second that arrive at this load."""
        return arrival_rate(self.background.pool, self.tasks, load=load)

    def arrivals(self, cell: Cell) -> list[Arrival]:
        """Return the cell's workload, those that do not count first."""
        rate = self.rate(cell.load)
        count = self._before(rate) + self.workflows
        if self.gaps:
            return arrivals(self.tasks, self.gaps, count=count, rate=rate, seed=cell.seed)
        return poisson(self.tasks, count=count, rate=rate, seed=cell.seed)

    def record(self, cell: Cell, results: Sequence[WorkflowResult]) -> Record:
        """Return the record of what was made of the cell's workload, in order of arrival."""
        return record(cell, results[self._before(self.rate(cell.load)) :], self._prices())

    def _before(self, rate: float) -> int:
        wished = round(self.warm_up * rate)
        return min(wished, len(self.gaps) - self.workflows - 1) if self.gaps else wished

    def _foresight(self, setup: Setup) -> Foresight:
        lengths, confidence = self.known[setup.lengths], self.known[setup.confidence]
        return lengths if lengths is confidence else lengths.with_confidence_of(confidence)

    def _prices(self) -> Prices:
        pool = self.background.pool
        large = pool.models[-1]
        return Prices(
            parameters_b=pool.params_b,
            large=large,
            large_tokens={
                task.task_id: sum(stage.output_tokens for stage in task.runs[large].stages) for task in self.tasks
            },
        )
