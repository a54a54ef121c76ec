"""`chimera up`: a pool served on this machine, and a table of what its models are doing."""

import asyncio
import json
import os
import signal
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from chimera_operator.api.errors import PoolError
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.local.documents import load_pool
from chimera_operator.local.errors import BadInputError, LocalError
from chimera_operator.local.plan import EngineKind
from chimera_operator.local.pool import RunningPool, serve

LIVE_SECONDS = 1.0  # between two looks at the picker, for eyes
PLAIN_SECONDS = 10.0  # the same for a log file
STATUS_SECONDS = 2.0  # a picker that takes longer is busy; the next look will do

FAILED, USAGE_ERROR = 1, 2


def up(  # noqa: PLR0913 - the options of the command
    pool: Annotated[Path, typer.Argument(metavar="POOL.yaml", help="A HeterogeneousModelPool document.")],
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where clients connect; 0 takes any free port.")] = 8080,
    engine: Annotated[EngineKind, typer.Option(help="What serves the models.")] = "simulator",
    speed: Annotated[
        float, typer.Option(min=0.01, max=1000, help="How many times faster than real simulated engines run.")
    ] = 1.0,
    logs: Annotated[Path | None, typer.Option(file_okay=False, help="Folder that keeps the processes' logs.")] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            help="Folder that keeps what the picker learned from answers and feedback, for the next run; without it, "
            "one for this pool and kind of engine under ~/.local/state/chimera (or $XDG_STATE_HOME/chimera).",
        ),
    ] = None,
) -> None:
    """Serve a pool on this machine until Ctrl-C: Envoy, the endpoint picker and one engine for each replica."""
    try:
        document = load_pool(pool)
        kept = state or _state_folder(document.metadata.name, engine)
        serving = serve(document, port=port, engine=engine, speed=speed, logs=logs, state=kept)
        failure, code = asyncio.run(_until_stopped(_show(serving, document, engine, kept))), FAILED
    except PoolError as error:
        failure, code = f"{pool}: {error}", USAGE_ERROR
    except LocalError as error:
        failure, code = str(error), USAGE_ERROR if isinstance(error, BadInputError) else FAILED
    if failure:
        typer.echo(failure, err=True)
        raise typer.Exit(code)


def _state_folder(pool: str, engine: EngineKind) -> Path:
    """Return the user's folder for a pool; simulated engines have one of their own, as they teach nothing of real ones.

    The place is the XDG Base Directory Specification's.
    """
    base = os.environ.get("XDG_STATE_HOME", "")
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "state"
    return root / "chimera" / f"{pool}-{engine}"


async def _until_stopped(work: Coroutine[Any, Any, str]) -> str:
    """Return what the work returns, or nothing where SIGINT or SIGTERM ended it."""
    task = asyncio.create_task(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return ""


async def _show(
    serving: AbstractAsyncContextManager[RunningPool], pool: HeterogeneousModelPool, engine: EngineKind, state: Path
) -> str:
    """Show the pool while it serves; return the sentence about what ended it."""
    console = Console()
    kind = "simulated" if engine == "simulator" else "vLLM"
    console.print(f"Starting {kind} engines for {', '.join(model.name for model in pool.spec.models)} …")
    async with serving as running:
        console.print(_welcome(pool, running, state), markup=False, highlight=False, soft_wrap=True)
        async with asyncio.TaskGroup() as group:
            tasks = (
                group.create_task(_watch(running, console, title=f"{pool.metadata.name}, {kind} engines")),
                group.create_task(_report_losses(running, console)),
            )
            failure = await running.wait_failed()
            for task in tasks:
                task.cancel()
    return failure


def _welcome(pool: HeterogeneousModelPool, running: RunningPool, state: Path) -> str:
    question = "What is 17 times 23?"
    body = {"model": pool.metadata.name, "messages": [{"role": "user", "content": question}]}
    return (
        f"{pool.metadata.name} serves at {running.url}\n\n"
        f"  curl {running.url}/v1/chat/completions -H 'content-type: application/json' \\\n"
        f"    -d '{json.dumps(body)}'\n"
        f"  chimera explain --url {running.management_url} '{question}'\n\n"
        f"Metrics are at {running.management_url}/metrics.\n"
        f"Feedback goes to {running.management_url}/chimera/v1/feedback, or over gRPC to {running.feedback_address}.\n"
        f"What is learned is kept in {state}.\nCtrl-C stops it."
    )


async def _report_losses(running: RunningPool, console: Console) -> None:
    async for loss in running.lost_engines():
        left = sum(engine.state == "running" for engine in running.engines)
        line = f"{loss}; {left} of {len(running.engines)} engines serve on"
        console.print(line, markup=False, highlight=False, soft_wrap=True)


async def _watch(running: RunningPool, console: Console, *, title: str) -> None:
    if console.is_terminal:
        await _watch_live(running, console, title=title)
    else:
        await _watch_plain(running, console)


async def _watch_live(running: RunningPool, console: Console, *, title: str) -> None:
    with Live(console=console, auto_refresh=False) as live:
        async with aiohttp.ClientSession() as session:
            while True:
                with suppress(aiohttp.ClientError, TimeoutError):
                    live.update(_picture(await _status(session, running), title=title), refresh=True)
                await asyncio.sleep(LIVE_SECONDS)


async def _watch_plain(running: RunningPool, console: Console) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                for line in _lines(await _status(session, running)):
                    console.print(line, markup=False, highlight=False, soft_wrap=True)
            await asyncio.sleep(PLAIN_SECONDS)


async def _status(session: aiohttp.ClientSession, running: RunningPool) -> dict[str, Any]:
    """Return what the picker says of itself."""
    url = f"{running.management_url}/chimera/v1/status"
    async with session.get(url, timeout=aiohttp.ClientTimeout(total=STATUS_SECONDS), raise_for_status=True) as response:
        status: dict[str, Any] = await response.json()
        return status


def _picture(status: dict[str, Any], *, title: str) -> Group:
    table = Table(title=title)
    table.add_column("model")
    for heading in ("ready", "running", "waiting", "tokens in flight", "requests"):
        table.add_column(heading, justify="right")
    for model in status["models"]:
        counts = (model[key] for key in ("running", "waiting", "in_flight_tokens", "requests"))
        table.add_row(model["model"], f"{model['ready']}/{model['endpoints']}", *(f"{count:.0f}" for count in counts))
    return Group(table, *map(Text, _totals(status)))


def _lines(status: dict[str, Any]) -> list[str]:
    models = [
        f"{model['model']}: {model['ready']}/{model['endpoints']} ready, {model['running']} running, "
        f"{model['waiting']} waiting, {model['in_flight_tokens']:.0f} tokens in flight, {model['requests']} requests"
        for model in status["models"]
    ]
    return [*models, *_totals(status)]


def _totals(status: dict[str, Any]) -> list[str]:
    seen = status["workflows"]
    return [
        (
            f"workflows: {seen['open']} open; {seen['later_stages']} later stages, "
            f"{seen['recognised']} recognised without a header, {seen['kept']} kept on their model"
        ),
        f"policy {status['policy']}, predictor {status['predictor']}" + _held(status["held"]),
    ]


def _held(held: dict[str, int]) -> str:
    return f", {sum(held.values())} held" if held else ""
