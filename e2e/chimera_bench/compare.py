"""Play cells of a comparison, in this process or spread over several, and return their records in the cells' order."""

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from chimera_bench.baselines import CATALOGUE
from chimera_bench.ground import Ground
from chimera_bench.records import Cell, Record

ENDING = (signal.SIGINT, signal.SIGTERM)

LOOK_SECONDS = 0.1  # between two looks whether a signal came; people do not notice


class WorkerLost(Exception):  # noqa: N818 - what happened
    """A worker process ended without a result: killed, or out of memory."""

    def __init__(self) -> None:
        super().__init__("a worker process of the comparison was ended from outside, perhaps for lack of memory")


def cells(
    grounds: Mapping[str, Ground],
    policies: Iterable[str],
    *,
    loads: Callable[[Ground], Sequence[float]],
    seeds: int,
    swept: bool,
) -> list[Cell]:
    """Return every cell: by pool, load, policy, setting and seed, seeds counted from 0."""
    return [
        Cell(workload=ground.workload, pool=pool, policy=policy, params=params, load=load, seed=seed)
        for pool, ground in grounds.items()
        for load in loads(ground)
        for policy in policies
        for params in CATALOGUE[policy].settings(swept=swept)
        for seed in range(seeds)
    ]


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
        try:
            with _uninterrupted() as received:
                futures = _submitted(executor, cells)
                _await(futures, on_record, received)
            return [future.result() for future in futures]
        except BrokenProcessPool:
            raise WorkerLost from None


def _played(grounds: Mapping[str, Ground], cells: Iterable[Cell], on_record: Callable[[], None]) -> Iterator[Record]:
    for cell in cells:
        yield grounds[cell.pool].play(cell)
        on_record()


def _submitted(executor: ProcessPoolExecutor, cells: Iterable[Cell]) -> list[Future[Record]]:
    """Start the workers, who inherit that Ctrl-C is blocked, for good: they leave it to their parent."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return [executor.submit(_play, cell) for cell in cells]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _await(futures: Iterable[Future[Record]], on_record: Callable[[], None], received: Collection[int]) -> None:
    """Wait until all cells are played, one was lost, or a signal came."""
    waiting = set(futures)
    while waiting and not received:
        done, waiting = wait(waiting, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
            on_record()


@contextmanager
def _workers(grounds: Mapping[str, Ground], count: int) -> Iterator[ProcessPoolExecutor]:
    """Yield an executor; whatever interrupts its use ends the workers at once."""
    # Not forked: the sessions and threads that made the predictions do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with (
        _stored(grounds) as path,
        ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(path,)) as executor,
    ):
        try:
            yield executor
        except BaseException:
            for worker in multiprocessing.active_children():
                worker.terminate()
            # Waits for the executor's own thread: left behind, it and the end of this process would race for a pipe.
            executor.shutdown(cancel_futures=True)
            raise


@contextmanager
def _stored(grounds: Mapping[str, Ground]) -> Iterator[Path]:
    """Yield a file with the grounds: sent to a worker as it starts, they would hold its parent up until it has."""
    with TemporaryDirectory(prefix="chimera-bench-") as folder:
        path = Path(folder) / "grounds.pickle"
        path.write_bytes(pickle.dumps(grounds))
        yield path


@contextmanager
def _uninterrupted() -> Iterator[list[int]]:
    """Hold signals back; yield the list of those that came, which take effect at the end.

    An exception out of the handler could leave a worker half started, or a lock of the executor taken for ever.
    """
    received: list[int] = []
    before = {number: signal.signal(number, lambda each, _: received.append(each)) for number in ENDING}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for each in received:
            signal.raise_signal(each)


_grounds: dict[str, Ground] = {}  # of a worker process


def _begin(path: Path) -> None:
    """Make this process a worker, for as long as its parent lives."""
    Thread(target=_end_with_parent, daemon=True).start()
    _grounds.update(pickle.loads(path.read_bytes()))  # noqa: S301 - the parent's own file


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _play(cell: Cell) -> Record:
    return _grounds[cell.pool].play(cell)
