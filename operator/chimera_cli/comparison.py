"""`chimera bench`: Chimera against every baseline on recorded workloads, in virtual time."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chimera_cli.comparison_report import CHIMERA, show
from chimera_cli.live_comparison import POLICIES, show_live
from chimera_cli.output import progress_bar, refuse
from chimera_cli.signals import ending_on_signals

if TYPE_CHECKING:
    from chimera_bench.ground import Ground
    from chimera_bench.records import Cell, Record
    from chimera_bench.serving import ServingPool

FAILED = 1

LOAD = 0.85  # engines are busy, and blind round robin still keeps up

SEEDS = 3  # enough to see what chance does, few enough to wait for

SEEN_WARNING = (
    "warning: the bundle was trained on all tasks of this very data, so it remembers what it seems to predict; bundles "
    "made with `chimera train --held-out` keep tasks to replay"
)


def compare(  # noqa: PLR0913 - one parameter an option
    context: typer.Context,
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of recorded data: answers, workflows, arrivals. Default: the package's own."
        ),
    ] = None,
    pools: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="JSON list of pools with their engines under `serving`. Default: those of the package's data.",
        ),
    ] = None,
    pool: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Pool of that file; repeatable. Default: all.")
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the bundle that predicts. Default: the package's own.")
    ] = None,
    load: Annotated[
        list[float] | None,
        typer.Option(
            metavar="X",
            min=0.01,
            max=100,
            help="Arrival rate; at 1 blind round robin saturates its slowest engine; repeatable. Default: 0.85.",
        ),
    ] = None,
    capacity: Annotated[
        list[float] | None,
        typer.Option(
            metavar="X",
            min=0.01,
            max=100,
            help="Arrival rate as a share of what all engines serve together, in place of --load; repeatable.",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, max=1000, help="Workloads for each pool and load, the same to all. Default: 3; live 1."
        ),
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Policy to play; repeatable. Default: Chimera, baselines, references; live: chimera and round-robin.",
        ),
    ] = None,
    workflows: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=2,
            max=1_000_000,
            help="Workflows of each workload that count.",
        ),
    ] = 400,
    warm_up: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0,
            max=86_400,
            help="Arrivals of so many seconds come before those, to fill the engines, and do not count.",
        ),
    ] = 20.0,
    arrivals: Annotated[
        str, typer.Option(metavar="poisson|TRACE", help="What spaces arrivals: chance, or a trace of the data.")
    ] = "poisson",
    max_num_seqs: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Sequences that each engine runs at once, at most.")
    ] = None,
    endpoints: Annotated[
        int,
        typer.Option(metavar="N", min=1, max=1000, help="Engines of each model; the arrivals grow with them."),
    ] = 1,
    prefix_caching: Annotated[
        bool,
        typer.Option(
            "--prefix-caching/--no-prefix-caching",
            help="Engines keep prompts for a workflow's next stage. Without, as loads are defined: by whole prompts.",
        ),
    ] = False,
    sweep: Annotated[
        bool, typer.Option("--sweep/--no-sweep", help="Play every setting of each policy, and compare frontiers.")
    ] = False,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="Play Chimera with one part taken out or put in, too.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=1024, help="Processes. Default: as many as processors.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Play on Envoy, picker and engine servers, too: how far is virtual time off?")
    ] = False,
    speed: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            min=0.01,
            max=100,
            help="With --live: times faster than real. Default: as fast as this machine can without being measured.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a record of every cell as JSON.")] = False,
    plot_file: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png", dir_okay=False, help="Draw latency against score.")
    ] = None,
) -> None:
    """Compare Chimera with every baseline: latency, score and cost on the same recorded workloads.

    Time is virtual and engines are simulated, so no GPU is needed; scores are recorded outcomes, of tasks that the
    bundle was not trained on. Without options, the package's own data is played, in about a minute.

    For example:

      chimera bench --pool mixed-agents-open --load 0.5 --load 1.5 --seeds 10

      chimera bench --data DIR --pools FILE --sweep --plot frontier.png

      chimera bench --policy chimera --policy slack --json > records.json

      chimera bench --live --pool llama-agents-open --policy chimera --policy round-robin
    """
    if context.invoked_subcommand is not None:
        return
    if plot_file is not None and not plot_file.parent.is_dir():
        refuse(f"{plot_file.parent}: the folder for the plot does not exist")
    if live and plot_file is not None:
        refuse("--plot draws comparisons in virtual time: leave out --live")
    if speed is not None and not live:
        refuse("--speed is for real servers: add --live")
    try:
        names = _policies(policy or (POLICIES if live else []), swept=sweep, ablations=ablations)
        change = partial(_changed, slots=max_num_seqs, endpoints=endpoints, prefix_caching=prefix_caching)
        workload = Workload(spacing=arrivals, workflows=workflows, warm_up=warm_up)
        grounds = _grounds(data, pools, pool or [], bundle, workload=workload, change=change)
        planned = _cells(grounds, names, load or [], capacity or [], seeds=seeds or (1 if live else SEEDS), swept=sweep)
        if live:
            show_live(grounds, planned, bundle=bundle, data=data, speed=speed, as_json=as_json)
            return
        records = _play(grounds, planned, workers=workers or os.cpu_count() or 1)
        show(records, as_json=as_json, plot_file=plot_file)
    except ModuleNotFoundError as error:
        refuse(f"`chimera bench` needs the packages of the extras `local` and `train`: {error.name} is missing")
    except OSError as error:
        refuse(f"{error.filename}: {error.strerror}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What arrives: what spaces it, how many workflows count, after how many seconds of others."""

    spacing: str
    workflows: int
    warm_up: float


def _policies(asked: Sequence[str], *, swept: bool, ablations: bool) -> list[str]:
    # The command line works without the training packages, and starts without their second of loading.
    from chimera_bench.baselines import CATALOGUE, names  # noqa: PLC0415 - as said above
    from chimera_bench.contestants import Kind  # noqa: PLC0415 - same

    if unknown := [name for name in asked if name not in CATALOGUE]:
        refuse(f"there is no policy {unknown[0]!r}; there are {', '.join(CATALOGUE)}")
    # At their own setting, the rules to sweep are Chimera itself.
    own = names(Kind.CHIMERA) if swept else [CHIMERA]
    chosen = asked or [*own, *names(Kind.BASELINE, Kind.REFERENCE)]
    return list(dict.fromkeys([*chosen, *(names(Kind.ABLATION) if ablations else [])]))


def _grounds(  # noqa: PLR0913 - what the options say of the workload
    data: Path | None,
    pools: Path | None,
    names: Sequence[str],
    folder: Path | None,
    *,
    workload: "Workload",
    change: "Callable[[ServingPool], ServingPool]",
) -> "dict[str, Ground]":
    from chimera_bench.groundwork import chosen_pools, read_grounds  # noqa: PLC0415 - see _policies
    from chimera_bench.recorded_predictions import trained_on  # noqa: PLC0415 - same
    from chimera_bench.serving import shipped_pools  # noqa: PLC0415 - same
    from chimera_router.errors import BundleError  # noqa: PLC0415 - same
    from chimera_router.prediction.bundle import default_bundle, read_bundle  # noqa: PLC0415 - same
    from chimera_training.data import DataError, recorded_folder  # noqa: PLC0415 - same

    recorded = data or recorded_folder()
    try:
        chosen = chosen_pools(pools or shipped_pools(), names)
        bundle = read_bundle(folder or default_bundle())
        if trained_on(bundle.manifest, recorded):
            typer.echo(SEEN_WARNING, err=True)
        with progress_bar() as progress:
            bar = progress.add_task("predict", total=len(chosen))
            return read_grounds(
                map(change, chosen),
                recorded,
                bundle,
                spacing=workload.spacing,
                workflows=workload.workflows,
                warm_up=workload.warm_up,
                on_pool=lambda: progress.advance(bar),
            )
    except (BundleError, DataError) as error:
        refuse(str(error))


def _changed(pool: "ServingPool", *, slots: int | None, endpoints: int, prefix_caching: bool) -> "ServingPool":
    pool = replace(pool, endpoints=endpoints, prefix_caching=prefix_caching)
    return pool if slots is None else pool.with_slots(slots)


def _cells(  # noqa: PLR0913 - what the options say of the comparison
    grounds: "dict[str, Ground]",
    names: Sequence[str],
    loads: Sequence[float],
    shares: Sequence[float],
    *,
    seeds: int,
    swept: bool,
) -> "list[Cell]":
    from chimera_bench.compare import cells  # noqa: PLC0415 - see _policies

    def of(ground: "Ground") -> list[float]:
        return list(dict.fromkeys([*loads, *map(ground.load_of, shares)])) or [LOAD]

    return cells(grounds, names, loads=of, seeds=seeds, swept=swept)


def _play(grounds: "dict[str, Ground]", planned: "Sequence[Cell]", *, workers: int) -> "list[Record]":
    from chimera_bench.compare import WorkerLost, compare  # noqa: PLC0415 - see _policies

    workers = min(workers, len(planned))
    with ending_on_signals(), progress_bar() as progress:
        bar = progress.add_task("replay on simulated engines", total=len(planned))
        try:
            return compare(grounds, planned, workers=workers, on_record=lambda: progress.advance(bar))
        except WorkerLost as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(FAILED) from None
