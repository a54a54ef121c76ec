"""Play cells of a comparison, in this process or spread over several, and return their records in the cells' order."""

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass

from chimera_bench.baselines import CATALOGUE
from chimera_bench.contestants import Background, Setup, Source
from chimera_bench.records import Cell, Prices, Record, record
from chimera_bench.replay.foresight import Foresight
from chimera_bench.replay.virtual import replay
from chimera_bench.workload import Arrival, Task, arrivals, poisson, saturation_rate


class WorkerLost(Exception):  # noqa: N818 - what happened
    """A worker process ended without a result: killed, or out of memory."""

    def __init__(self) -> None:
        super().__init__("a worker process of the comparison was ended from outside, perhaps for lack of memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A pool with all that its cells need.

    Attributes:
        background: The pool, and what may be known of it beforehand.
        tasks: What may arrive, at least one.
        known: What each source foresees of every task.
        gaps: Seconds between requests of a trace, more than `workflows` of them; empty for a Poisson process.
        workflows: How many arrive in each cell.
    """

    background: Background
    tasks: Sequence[Task]
    known: Mapping[Source, Foresight]
    gaps: Sequence[float]
    workflows: int

    def play(self, cell: Cell) -> Record:
        """Replay the cell's workload under its policy."""
        setup = CATALOGUE[cell.policy].build(self.background, **cell.params)
        results = replay(
            self._arrivals(cell),
            pool=self.background.pool,
            scheduler=setup.scheduler,
            predictions=self._foresight(setup),
            scheduling=setup.queueing,
            seed=cell.seed,
        )
        return record(cell, results, self._prices())

    def _arrivals(self, cell: Cell) -> list[Arrival]:
        pool = self.background.pool
        rate = cell.load * pool.endpoints * saturation_rate(self.tasks, pool.coefficients)
        if self.gaps:
            return arrivals(self.tasks, self.gaps, count=self.workflows, rate=rate, seed=cell.seed)
        return poisson(self.tasks, count=self.workflows, rate=rate, seed=cell.seed)

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


def compare(
    grounds: Mapping[str, Ground], cells: Sequence[Cell], *, workers: int, on_record: Callable[[], None] = lambda: None
) -> list[Record]:
    """Play the cells and return their records in the same order, whatever the number of workers.

    Args:
        grounds: By the name of the pool.
        cells: What to play.
        workers: Processes; one plays everything in this process.
        on_record: Told after each cell.

    Raises:
        WorkerLost: A worker process was ended from outside.
    """
    if workers == 1:
        return list(_played(grounds, cells, on_record))
    with _workers(grounds, workers) as executor:
        futures = [executor.submit(_play, cell) for cell in cells]
        try:
            for _ in as_completed(futures):
                on_record()
            return _results(futures)
        except BrokenProcessPool:
            raise WorkerLost from None


def _played(grounds: Mapping[str, Ground], cells: Iterable[Cell], on_record: Callable[[], None]) -> Iterator[Record]:
    for cell in cells:
        yield grounds[cell.pool].play(cell)
        on_record()


def _results(futures: Iterable[Future[Record]]) -> list[Record]:
    return [future.result() for future in futures]


@contextmanager
def _workers(grounds: Mapping[str, Ground], count: int) -> Iterator[ProcessPoolExecutor]:
    """Yield an executor; whatever interrupts its use ends the workers at once."""
    # Not forked: the sessions and threads that made the predictions do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(grounds,)) as executor:
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise


_grounds: dict[str, Ground] = {}  # of a worker process


def _begin(grounds: Mapping[str, Ground]) -> None:
    """Make this process a worker: it keeps the grounds, and leaves Ctrl-C to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _grounds.update(grounds)


def _play(cell: Cell) -> Record:
    return _grounds[cell.pool].play(cell)
