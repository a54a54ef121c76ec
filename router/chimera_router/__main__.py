"""Start the endpoint picker: build the objects, follow the files, stop in order."""

import argparse
import asyncio
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import structlog

from chimera_router import management, settings
from chimera_router.datalayer import discovery
from chimera_router.datalayer.datastore import Datastore
from chimera_router.datalayer.scraper import Scraper
from chimera_router.director import ActivePool, Director
from chimera_router.errors import BundleError, ConfigError, StateError
from chimera_router.extproc.server import DRAIN, Server
from chimera_router.extproc.servicer import Servicer
from chimera_router.feedback.server import FeedbackServer
from chimera_router.prediction import state
from chimera_router.prediction.compute import TRANSFORMER, Compute, Device
from chimera_router.prediction.correction import Corrections
from chimera_router.prediction.port import Predictor
from chimera_router.prediction.predictor import open_predictor
from chimera_router.scheduling.ledger import Ledger
from chimera_router.settings import PoolSettings
from chimera_router.telemetry import logs
from chimera_router.telemetry.metrics import (
    ApplicationCollector,
    CorrectionCollector,
    FitCollector,
    Metrics,
    PoolCollector,
    PriceCollector,
)
from chimera_router.workflow.table import ProgramTable

USAGE_ERROR = 2
SAVE_EVERY = 60.0  # seconds; what a crash may cost of what was learned

_log = structlog.get_logger()


@dataclass(slots=True)
class Picker:
    """The running parts of one picker process."""

    config: Path
    state_path: Path | None
    metrics: Metrics
    datastore: Datastore
    director: Director
    corrections: Corrections
    compute: Compute = TRANSFORMER

    async def follow_config(self) -> None:
        """Swap the configuration whenever its file changes; an invalid one changes nothing."""
        async for _ in discovery.changes(self.config):
            try:
                pool = settings.load(self.config)
                endpoints = discovery.read(pool.endpoints_file, models=pool.models)
            except ConfigError as error:
                self._kept("config", error)
                continue
            await self._swap(pool)
            self.datastore.replace(endpoints)
            self._swapped("config")

    async def follow_endpoints(self) -> None:
        """Take the new list of endpoints whenever their file changes; an invalid one changes nothing."""
        async for _ in discovery.changes(self.director.pool.settings.endpoints_file):
            pool = self.director.pool.settings
            try:
                self.datastore.replace(discovery.read(pool.endpoints_file, models=pool.models))
            except ConfigError as error:
                self._kept("endpoints", error)
                continue
            self._swapped("endpoints")

    async def keep_state(self) -> None:
        """Save what was learned, now and then."""
        while True:
            await asyncio.sleep(SAVE_EVERY)
            await self.save()

    async def save(self) -> None:
        """Save what was learned, where there is a place for it; a failure costs no request."""
        if self.state_path is None:
            return
        data = state.encode(self.corrections)
        try:
            await asyncio.to_thread(state.write, self.state_path, data)
        except StateError as error:
            _log.error("state not saved", rule=str(error))

    async def _swap(self, pool: PoolSettings) -> None:
        old = self.director.pool
        same = (old.settings.models, old.settings.bundle) == (pool.models, pool.bundle)
        predictor = old.predictor if same else await self._opened(pool)
        self.director.pool = ActivePool(settings=pool, predictor=predictor)
        if not same:
            await old.predictor.aclose()

    async def _opened(self, pool: PoolSettings) -> Predictor:
        return await asyncio.to_thread(_open_predictor, pool, self.metrics, self.corrections, self.compute)

    def _swapped(self, file: str) -> None:
        self.metrics.reloads.labels(file, "applied").inc()
        _log.info("configuration applied", file=file)

    def _kept(self, file: str, error: ConfigError) -> None:
        self.metrics.reloads.labels(file, "refused").inc()
        _log.error("configuration refused, the old one stays", file=file, rule=str(error))


def main() -> None:
    """Run the picker until SIGTERM or SIGINT; exit 2 with one line where it cannot start."""
    arguments = _arguments()
    logs.configure(arguments.log_level)
    try:
        asyncio.run(_serve(arguments))
    except ConfigError as error:
        sys.stderr.write(f"chimera-router: {error}\n")
        sys.exit(USAGE_ERROR)


async def _serve(arguments: argparse.Namespace) -> None:
    stop, serving = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        picker, scraper = await stack.enter_async_context(_picker(arguments))
        pages = management.Management(picker.director, ready=lambda: serving.is_set() and not stop.is_set())
        runner = await management.serve(pages, host=arguments.host, port=arguments.management_port)
        stack.push_async_callback(runner.cleanup)
        server = Server(
            Servicer(picker.director),
            address=f"{arguments.host}:{arguments.grpc_port}",
            certificates=arguments.cert_path,
        )
        stack.push_async_callback(server.stop, arguments.drain)
        if arguments.feedback_port is not None:
            await _serve_feedback(stack, picker.director, arguments)
        await scraper.scrape()
        await server.start()
        serving.set()
        _log.info("serving", grpc_port=server.port, management_port=arguments.management_port)
        await _until(stop, scraper, picker)


async def _serve_feedback(stack: AsyncExitStack, director: Director, arguments: argparse.Namespace) -> None:
    address = f"{arguments.host}:{arguments.feedback_port}"
    server = FeedbackServer(director, address=address, certificates=arguments.cert_path)
    await server.start()
    stack.push_async_callback(server.stop)


@asynccontextmanager
async def _picker(arguments: argparse.Namespace) -> AsyncIterator[tuple[Picker, Scraper]]:
    pool = settings.load(arguments.config)
    compute = Compute(device=Device(arguments.prediction_device), threads=arguments.prediction_threads)
    ledger, metrics, corrections = Ledger(), Metrics(), _corrections(arguments.state_path)
    datastore = Datastore(ledger)
    datastore.replace(discovery.read(pool.endpoints_file, models=pool.models))
    director = Director(
        pool=ActivePool(settings=pool, predictor=_open_predictor(pool, metrics, corrections, compute)),
        datastore=datastore,
        table=ProgramTable(new_id=lambda: f"wf-{secrets.token_hex(8)}"),
        ledger=ledger,
        metrics=metrics,
        clock=time.monotonic,
        wall=time.time,
    )
    metrics.watch(PoolCollector(director))
    metrics.watch(CorrectionCollector(corrections))
    metrics.watch(FitCollector(director.fits))
    metrics.watch(PriceCollector(director.steering))
    metrics.watch(ApplicationCollector(lambda: (len(corrections.applications), corrections.applications.forgotten)))
    picker = Picker(arguments.config, arguments.state_path, metrics, datastore, director, corrections, compute)
    async with aiohttp.ClientSession() as session:
        yield picker, Scraper(datastore, session, clock=time.monotonic)
    await picker.save()
    await director.pool.predictor.aclose()


async def _until(stop: asyncio.Event, scraper: Scraper, picker: Picker) -> None:
    """Keep the background work going until a stop is asked for."""

    async def stopper() -> None:
        await stop.wait()
        raise _Stopped

    try:
        async with asyncio.TaskGroup() as group:
            followers = (picker.follow_config(), picker.follow_endpoints(), picker.keep_state())
            for work in (scraper.run(), *followers, stopper()):
                group.create_task(work)
    except* _Stopped:
        _log.info("stopping")


class _Stopped(Exception):  # noqa: N818 - a signal, not an error
    """Ends the task group."""


def _corrections(folder: Path | None) -> Corrections:
    try:
        return state.load(folder) if folder else Corrections()
    except StateError as error:
        _log.error("state refused, starting anew", rule=str(error))
        return Corrections()


def _open_predictor(pool: PoolSettings, metrics: Metrics, corrections: Corrections, compute: Compute) -> Predictor:
    def refused(error: BundleError) -> None:
        metrics.bundles_refused.inc()
        _log.error("bundle refused, running medians predict instead", rule=str(error))

    return open_predictor(
        tuple(pool.models.values()),
        path=pool.bundle.path,
        sha256=pool.bundle.sha256,
        corrections=corrections,
        compute=compute,
        on_fallback=lambda reason: metrics.fallbacks.labels(reason).inc(),
        on_refused=refused,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chimera_router", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="RouterConfig, as JSON")
    parser.add_argument("--host", default="0.0.0.0", help="address to bind")  # noqa: S104 - gateways are elsewhere
    parser.add_argument("--grpc-port", type=int, default=9002, help="ext_proc and health")
    parser.add_argument("--management-port", type=int, default=9090, help="metrics, status, explain, feedback")
    parser.add_argument("--feedback-port", type=int, help="feedback over gRPC; not served where not given")
    parser.add_argument("--state-path", type=Path, metavar="DIR", help="folder that keeps what was learned")
    parser.add_argument(
        "--prediction-device",
        choices=list(Device),
        default=Device.AUTO,
        help="where a bundle's transformer is computed",
    )
    parser.add_argument("--prediction-threads", type=_positive, default=1, help="of a transformer on a processor")
    parser.add_argument("--drain", type=float, default=DRAIN, help="seconds that open streams get on SIGTERM")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    transport = parser.add_mutually_exclusive_group(required=True)
    transport.add_argument("--cert-path", type=Path, help="folder with tls.crt and tls.key")
    transport.add_argument("--insecure", action="store_true", help="plain text")
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    main()
