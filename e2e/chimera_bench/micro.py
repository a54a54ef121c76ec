"""What one decision costs: `python -m chimera_bench.micro`.

Runs the picker's own parts in this process, without gRPC, on chat bodies of several sizes, with the default bundle
and the models of the demo. The baseline of every ratio is reading the same body with the standard library's `json`, in
the same run: absolute times change with the machine, the ratios hardly do. Then what deciding alone costs in a pool of
100 endpoints and 10 models with 40 requests in flight on each.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence

from rich.console import Console
from rich.table import Table

from chimera_bench import scheduling_cost
from chimera_router.arrivals import ActivePool
from chimera_router.datalayer.datastore import Datastore
from chimera_router.director import Director
from chimera_router.discovery_settings import FileDiscovery
from chimera_router.extproc import codec
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, parse
from chimera_router.prediction.predictor import open_predictor
from chimera_router.protocol.catalog import Catalog
from chimera_router.protocol.events import RequestBody, RequestHeaders
from chimera_router.protocol.stream import StreamMachine
from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import Coefficients, Descriptor, Endpoint, Model
from chimera_router.settings import BundleSource, PoolSettings
from chimera_router.telemetry.metrics import Metrics
from chimera_router.workflow.table import ProgramTable
from chimera_training.data import recorded_folder

SIZES = {"1 KB": 1_000, "10 KB": 10_000, "100 KB": 100_000}
LARGE_POOL = "100 endpoints"
ROUNDS = 500  # of each part and size; a second or two in all

_COEFFICIENTS = Coefficients(
    base_step=0.007, per_sequence=3e-5, prefill_per_token=2e-5, max_num_seqs=256, kv_tokens=500_000
)
_TRAINED = ("CodeQwen1.5-7B-Chat", "Meta-Llama-3-8B-Instruct", "Meta-Llama-3-70B-Instruct")
_BASELINE = "json.loads (baseline)"
_HEADERS = RequestHeaders(headers={":path": Api.CHAT.value, ":method": "POST"})

_TITLES = {
    LARGE_POOL: f"{scheduling_cost.ENDPOINTS} endpoints, {scheduling_cost.MODELS} models, "
    f"{scheduling_cost.IN_FLIGHT} requests in flight on each; baseline: a body of 1 KB"
}

Timings = dict[str, list[float]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m chimera_bench.micro", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print microseconds as JSON")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="repetitions of each part and size")
    arguments = parser.parse_args()
    measured = asyncio.run(measure(arguments.rounds))
    if arguments.json:
        Console().print_json(json.dumps({title: _summary(timings) for title, timings in measured.items()}))
        return
    for title, timings in measured.items():
        Console().print(_table(title, timings))


async def measure(rounds: int) -> dict[str, Timings]:
    """Return seconds of each repetition, by what is measured and part."""
    director = _director()
    try:
        measured = {size: await _measure(director, size_bytes, rounds) for size, size_bytes in SIZES.items()}
    finally:
        await director.pool.predictor.aclose()
    return measured | {LARGE_POOL: _measure_scheduling(rounds)}


def _measure_scheduling(rounds: int) -> Timings:
    bodies = [_body(index, SIZES["1 KB"]) for index in range(rounds)]
    return {_BASELINE: _timed(json.loads, bodies), **scheduling_cost.measure(rounds)}


async def _measure(director: Director, size: int, rounds: int) -> Timings:
    bodies = [_body(index, size) for index in range(rounds)]
    limits = Limits()

    async def decide(body: bytes) -> None:
        machine = StreamMachine(director.rules)
        machine.feed(_HEADERS)
        (asked,) = machine.feed(RequestBody(body, end_of_stream=True))
        exchange = await director.choose(asked)  # type: ignore[arg-type]
        for action in machine.route(exchange.route):
            codec.encode(action)
        exchange.close()

    return {
        _BASELINE: _timed(json.loads, bodies),
        "parse": _timed(lambda body: parse(Api.CHAT, body, limits), bodies),
        "parse to answer": await _awaited(decide, bodies),
    }


def _timed(work: Callable[[bytes], object], bodies: Sequence[bytes]) -> list[float]:
    seconds = []
    for body in bodies:
        started = time.perf_counter()
        work(body)
        seconds.append(time.perf_counter() - started)
    return seconds


async def _awaited(work: Callable[[bytes], Awaitable[None]], bodies: Sequence[bytes]) -> list[float]:
    seconds = []
    for body in bodies:
        started = time.perf_counter()
        await work(body)
        seconds.append(time.perf_counter() - started)
    return seconds


def _body(index: int, size: int) -> bytes:
    words = f"Question {index}: how many apples remain when each of {index} friends takes two? "
    messages = [{"role": "user", "content": words * (size // len(words) + 1)}]
    return json.dumps({"model": "auto", "messages": messages}).encode()


def _director() -> Director:
    models = {
        name: Model(name=name, coefficients=_COEFFICIENTS, descriptor=Descriptor(trained_as=name), priority=True)
        for name in _TRAINED
    }
    predictor = open_predictor(
        tuple(models.values()), path=None, sha256="", on_fallback=lambda _: None, on_refused=_must_load
    )
    settings = PoolSettings(
        models=models,
        catalog=Catalog.of("bench", models.values()),
        scheduler=Scheduler(),
        limits=Limits(),
        bundle=BundleSource(path=None, sha256=""),
        discovery=FileDiscovery(recorded_folder()),
    )
    ledger = Ledger()
    datastore = Datastore(ledger)
    datastore.replace(Endpoint(name=n, address=f"127.0.0.1:{i + 1}", model=n) for i, n in enumerate(models))
    for endpoint in datastore.endpoints:
        datastore.answered(endpoint.address, None)
    numbers = itertools.count()
    return Director(
        pool=ActivePool(settings=settings, predictor=predictor),
        datastore=datastore,
        table=ProgramTable(new_id=lambda: f"wf-{next(numbers)}"),
        ledger=ledger,
        metrics=Metrics(),
        clock=time.monotonic,
        wall=time.time,
    )


def _must_load(error: Exception) -> None:
    raise SystemExit(f"the default bundle was refused: {error}")


def _summary(timings: Timings) -> dict[str, dict[str, float]]:
    return {
        part: {"p50_us": _quantile(seconds, 50) * 1e6, "p99_us": _quantile(seconds, 99) * 1e6}
        for part, seconds in timings.items()
    }


def _table(title: str, timings: Timings) -> Table:
    table = Table(title=_TITLES.get(title, f"one chat request, body of {title}"))
    table.add_column("part")
    for heading in ("p50 µs", "p99 µs", "ratio to baseline"):
        table.add_column(heading, justify="right")
    baseline = _quantile(next(iter(timings.values())), 50)
    for part, seconds in timings.items():
        middle, high = _quantile(seconds, 50), _quantile(seconds, 99)
        table.add_row(part, f"{middle * 1e6:.0f}", f"{high * 1e6:.0f}", f"{middle / baseline:.1f}")
    return table


def _quantile(seconds: Sequence[float], percent: int) -> float:
    return statistics.quantiles(seconds, n=100)[percent - 1]


if __name__ == "__main__":
    main()
