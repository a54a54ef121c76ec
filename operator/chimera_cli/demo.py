"""`chimera demo`: measured agent workflows through Envoy, the picker and simulated engines, for several policies."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chimera_bench.policies import PolicyName, under
from chimera_bench.pools import coefficients, recorded_names, with_slots
from chimera_bench.replay.conversation import ReplayError
from chimera_bench.replay.results import WorkflowResult
from chimera_bench.replay.rounds import EngineKiller, PoolLost, play, settled
from chimera_bench.report import Summary, summarise
from chimera_bench.table import table
from chimera_bench.workload import Arrival, arrivals, read_gaps, read_tasks, saturation_rate
from chimera_cli.signals import until_signalled
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.local.documents import load_pool, sample_pool
from chimera_operator.local.errors import LocalError
from chimera_operator.local.pool import serve
from chimera_training.data import DataError, recorded_folder

# Sequences that a demo engine runs at once. With the sample's 256 it would take thousands of workflows to fill a queue;
# with 16 a hundred do.
SLOTS = 16

FAILED, USAGE_ERROR = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is played, once for each policy.

    Attributes:
        rate: Workflows that arrive a second, at the models' own speed.
        speed: How many times faster than real.
        kills: Whether an engine is killed amid Chimera's round.
    """

    pool: HeterogeneousModelPool
    workload: Sequence[Arrival]
    rate: float
    speed: float
    kills: bool


def demo(  # noqa: PLR0913 - one parameter an option
    *,
    workflows: Annotated[int, typer.Option(min=2, max=5000, help="Workflows to replay for each policy.")] = 240,
    seed: Annotated[int, typer.Option(help="Of the choice of workflows and of their arrivals.")] = 0,
    speed: Annotated[
        float, typer.Option(min=0.1, max=100, help="How many times faster than real; too fast measures this machine.")
    ] = 4.0,
    load: Annotated[
        float, typer.Option(min=0.01, max=10, help="Arrival rate; at 1 blind round robin saturates its slowest engine.")
    ] = 0.85,
    plot_file: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png", dir_okay=False, help="Draw latency against score.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    policies: Annotated[
        list[PolicyName] | None, typer.Option("--policies", help="Policy to play; repeat it for more. Default: all.")
    ] = None,
    kill_engine: Annotated[
        bool, typer.Option("--kill-engine", help="Kill an engine amid Chimera's round: its requests fail over.")
    ] = False,
) -> None:
    """Replay recorded agent workflows through a pool on this machine, once for each policy, and compare.

    Engines are simulated, so no GPU is needed; scores are recorded outcomes.
    """
    chosen = list(dict.fromkeys(policies or PolicyName))
    if kill_engine and PolicyName.CHIMERA not in chosen:
        _fail("--kill-engine kills an engine amid the round of chimera: add --policies chimera", USAGE_ERROR)
    if plot_file is not None and not plot_file.parent.is_dir():
        _fail(f"{plot_file.parent}: the folder for the plot does not exist", USAGE_ERROR)
    try:
        comparison = _prepared(workflows=workflows, seed=seed, speed=speed, load=load, kills=kill_engine)
        summaries = asyncio.run(until_signalled(_compare(comparison, chosen)))
    except (DataError, LocalError, PoolLost, ReplayError) as error:
        _fail(str(error), FAILED)
    _show(comparison, summaries, as_json=as_json)
    if plot_file is not None:
        _draw(comparison, summaries, plot_file)


def _fail(sentence: str, code: int) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def _prepared(*, workflows: int, seed: int, speed: float, load: float, kills: bool) -> Comparison:
    pool = with_slots(load_pool(sample_pool()), SLOTS)
    tasks = read_tasks(recorded_folder(), recorded_names(pool))
    rate = load * saturation_rate(tasks, coefficients(pool))
    workload = arrivals(tasks, read_gaps(recorded_folder()), count=workflows, rate=rate, seed=seed)
    return Comparison(pool=pool, workload=workload, rate=rate, speed=speed, kills=kills)


async def _compare(comparison: Comparison, policies: Sequence[PolicyName]) -> list[Summary]:
    """Play a round for each policy, one after the other, under a progress bar."""
    console = Console(stderr=True, soft_wrap=True)
    count = len(comparison.workload)
    console.print(
        f"Replaying {count} recorded workflows, {comparison.rate:.1f} a second, on simulated engines "
        f"of {SLOTS} slots, {comparison.speed:g}x faster than real; chimera with {_tuning(comparison)}",
        highlight=False,
    )
    summaries = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bars = {policy: progress.add_task(policy.value, total=count, start=False) for policy in policies}
        for policy, bar in bars.items():
            progress.start_task(bar)
            results = await _round(comparison, policy, console, lambda bar=bar: progress.advance(bar))  # type: ignore[misc]
            summaries.append(summarise(policy, results, models=list(recorded_names(comparison.pool))))
    return summaries


def _tuning(comparison: Comparison) -> str:
    routing = comparison.pool.spec.routing
    given = routing.model_dump(by_alias=True, exclude_unset=True)
    return ", ".join(f"{name} {value}" for name, value in given.items()) or "its default routing"


async def _round(
    comparison: Comparison, policy: PolicyName, console: Console, advance: Callable[[], None]
) -> list[WorkflowResult]:
    async with serve(under(policy, comparison.pool), speed=comparison.speed) as running:
        killer = EngineKiller(running.pids, workflows=len(comparison.workload))
        kills = comparison.kills and policy is PolicyName.CHIMERA

        def on_result(result: WorkflowResult) -> None:
            advance()
            if kills:
                killer.observe(result)

        results = await play(
            running, comparison.workload, speed=comparison.speed, on_result=on_result, engines_may_end=kills
        )
        if kills:
            in_flight = await settled(running)
            console.print(_failover(results, killed=killer.killed, in_flight=in_flight), highlight=False)
        return results


def _failover(results: Sequence[WorkflowResult], *, killed: str, in_flight: int) -> str:
    retries = sum(result.retries for result in results)
    lost = sum(result.model is None for result in results)
    return (
        f"{killed} was killed amid the round: {retries} requests were sent again, {lost} workflows were given up, "
        f"the picker counts {in_flight} requests in flight now"
    )


def _show(comparison: Comparison, summaries: Sequence[Summary], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_conditions(comparison) | {"policies": [each.as_json() for each in summaries]}, indent=2))
    else:
        Console().print(table(summaries))


def _conditions(comparison: Comparison) -> dict[str, Any]:
    """Return what the figures hold for: without the pool's own tuning nobody could repeat Chimera's."""
    return {
        "simulated": True,
        "routing": comparison.pool.spec.routing.model_dump(mode="json", by_alias=True, exclude_none=True),
        "rate": comparison.rate,
        "speed": comparison.speed,
        "slots": SLOTS,
    }


def _draw(comparison: Comparison, summaries: Sequence[Summary], path: Path) -> None:
    from chimera_bench.plot import plot  # noqa: PLC0415 - matplotlib would cost every command a second at its start

    try:
        plot(summaries, path, subtitle=f"{len(comparison.workload)} recorded workflows, {comparison.rate:.1f} a second")
    except OSError as error:
        _fail(f"{path}: {error.strerror}", FAILED)
