"""`chimera calibrate`: ask a pool's models questions with known answers, and fit a bundle to what they say."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from chimera_bench.probing.budget import Budget, BudgetError
from chimera_bench.probing.log import ProbingError
from chimera_bench.probing.members import Member
from chimera_bench.probing.session import Asked, Settings, ask_pool
from chimera_bench.probing.session import Progress as Told
from chimera_cli.signals import until_signalled
from chimera_operator.api.errors import PoolError
from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.local.documents import load_pool
from chimera_operator.local.errors import BadInputError, LocalError
from chimera_operator.local.pool import serve

if TYPE_CHECKING:
    from chimera_bench.probing.figures import ModelReport, Report
    from chimera_router.prediction.bundle import Bundle

API_KEY = "CHIMERA_API_KEY"  # environment variable, where no other is named

REHEARSAL_SPEED = 20.0  # times faster than real that simulated engines run: nobody waits for what they say

BAR = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())

FAILED, USAGE_ERROR = 1, 2


def calibrate(  # noqa: PLR0913 - one parameter an option
    target: Annotated[
        str, typer.Argument(metavar="POOL|URL", help="A pool document, or the address of a running pool.")
    ],
    *,
    out: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Folder of the new bundle. Beside it, DIR.answers.jsonl lets a later run go on."
        ),
    ],
    url: Annotated[
        str | None,
        typer.Option(help="Where the pool of the document runs; without it, it is served on this machine by vLLM."),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Bundle to start from; without it, the package's own.")
    ] = None,
    models: Annotated[
        str, typer.Option(metavar="A,B", help="Models to ask, by their names in the pool; without it, all.")
    ] = "",
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="N{requests|tokens}",
            help="What to spend at most, earlier runs included: 300requests, or 200000tokens of prompts and answers. "
            "Without it, every probe goes to every model.",
        ),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Requests under way at once.")] = 8,
    max_tokens: Annotated[int, typer.Option(min=16, help="Of one answer.")] = 2048,
    seed: Annotated[int, typer.Option(help="Of the order of the probes.")] = 0,
    api_key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"Environment variable that holds the API key; without it, {API_KEY}."),
    ] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Rehearse on simulated engines: the bundle then says nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Ask a pool's models questions with known answers; fit their confidence and lengths; write a new bundle.

    The document tells what a model is (parameters, family, what it was trained as), which an address alone does not.

    Example: chimera calibrate pool.yaml --url http://127.0.0.1:8080 --budget 300requests --out my-bundle

    Example: chimera calibrate http://127.0.0.1:8080 --models small,large --out my-bundle
    """
    try:
        started = _starting_bundle(bundle, out)
        document = None if _is_url(target) else load_pool(Path(target))
        settings = Settings(
            answers=_beside(out, "answers.jsonl"),
            key=_key(api_key_env),
            models=tuple(name for name in models.split(",") if name),
            budget=None if budget is None else Budget.parse(budget),
            concurrency=concurrency,
            max_tokens=max_tokens,
            seed=seed,
            simulated=simulated,
        )
        asked = asyncio.run(until_signalled(_ask(document, target if document is None else url, settings)))
        report = _fit(started, asked, out)
    except (BudgetError, BadInputError) as error:
        _fail(str(error), USAGE_ERROR)
    except (LocalError, PoolError, ProbingError) as error:
        _fail(str(error), FAILED)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}", FAILED)
    _show(report, as_json=as_json)


def _is_url(target: str) -> bool:
    return target.startswith(("http://", "https://"))


def _key(name: str | None) -> str:
    if name is not None and not os.environ.get(name):
        _fail(f"the environment variable {name} holds no API key", USAGE_ERROR)
    return os.environ.get(name or API_KEY, "")


def _fail(sentence: str, code: int) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def _starting_bundle(folder: Path | None, out: Path) -> "Bundle":
    """Read the bundle before a token is spent, and make sure that the new one can be written."""
    # Fitting needs packages that the rest of the command line works without, and a second of loading.
    try:
        from chimera_router.errors import BundleError  # noqa: PLC0415 - as said above
        from chimera_router.prediction.bundle import default_bundle, read_bundle  # noqa: PLC0415 - same
        from chimera_training.export import ExportError, check_target  # noqa: PLC0415 - same
    except ModuleNotFoundError as error:
        _fail(
            f"`chimera calibrate` needs the packages of the extras `local` and `train`: {error.name} is missing",
            USAGE_ERROR,
        )
    if folder is not None and folder.resolve() == out.resolve():
        _fail("--out must be another folder than --bundle: the same answers would count twice", USAGE_ERROR)
    try:
        check_target(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        return read_bundle(folder or default_bundle())
    except (BundleError, ExportError) as error:
        _fail(str(error), USAGE_ERROR)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}", USAGE_ERROR)


@asynccontextmanager
async def _address(document: HeterogeneousModelPool | None, url: str | None, *, simulated: bool) -> AsyncIterator[str]:
    """Yield where the pool serves; serve it where nobody does."""
    if url is not None or document is None:
        yield url or ""
    else:
        speed = REHEARSAL_SPEED if simulated else 1.0
        async with serve(document, engine="simulator" if simulated else "vllm", speed=speed) as running:
            yield running.url


async def _ask(document: HeterogeneousModelPool | None, url: str | None, settings: Settings) -> Asked:
    """Ask under a progress bar, on standard error."""
    console = Console(stderr=True, soft_wrap=True)
    described = None if document is None else Member.of_pool(document)
    try:
        async with _address(document, url, simulated=settings.simulated) as address:
            with Progress(*BAR, console=console) as bars:
                return await ask_pool(address, described, settings, _told(bars))
    except asyncio.CancelledError:
        console.print("The answers so far are kept: the same command goes on from here", highlight=False)
        raise


def _told(bars: Progress) -> Told:
    bar = TaskID(0)  # of the only bar, which is there once it is known how many answers there will be

    def start(done: int, total: int, notes: Sequence[str]) -> None:
        for note in notes:
            bars.console.print(note, markup=False, highlight=False)
        bars.add_task("answers", completed=done, total=total)

    return Told(start, lambda _: bars.advance(bar))


def _fit(bundle: "Bundle", asked: Asked, out: Path) -> "Report":
    from chimera_bench.probing.calibration import calibrate as fit  # noqa: PLC0415 - see _starting_bundle
    from chimera_training.export import write_bundle  # noqa: PLC0415 - same

    fitted = fit(bundle, asked.members, asked.probes, asked.answers)
    report = fitted.report(bundle=bundle.folder, out=out, asked=asked)
    write_bundle(out, fitted.manifest, bundle.graphs)
    _beside(out, "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    return report


def _beside(out: Path, ending: str) -> Path:
    """Return a file beside the new bundle, whose folder holds the files of a bundle only."""
    return out.parent / f"{out.name}.{ending}"


def _show(report: "Report", *, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
        return
    console = Console(soft_wrap=True)
    console.print(_table(report.models))
    for line in _lines(report):
        console.print(line, markup=False, highlight=False)


def _lines(report: "Report") -> Iterator[str]:
    if report.simulated:
        yield "The engines were simulated: no figure says anything of a model."
    if report.known_models == 0:
        yield (
            "The bundle knew none of these models: the answers tell them apart; how able they all are rests on their "
            "descriptors, for the greater part."
        )
    if cut := [each.model for each in report.models if each.cut]:
        yield f"Some answers were cut at --max-tokens, of {', '.join(cut)}: their lengths are lower bounds."
    yield (
        f"{report.bundle}: written, from {report.requests} answers ({report.tokens} tokens); the picker takes it where "
        "the pool's spec.routing.bundle.path names it"
    )


def _table(models: "Sequence[ModelReport]") -> Table:
    table = Table(title="Calibration", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("model", no_wrap=True)
    for heading in ("answers", "right", "ability", "ECE", "verbosity"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in models:
        changes = (each.ability, each.calibration_error, each.verbosity)
        table.add_row(
            each.model,
            str(each.answers),
            f"{each.right / each.answers:.0%}",
            *(f"{change.before:.2f} → {change.after:.2f}" for change in changes),
        )
    return table
