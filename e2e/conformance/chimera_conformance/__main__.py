"""The command line: `python -m chimera_conformance --address HOST:PORT --endpoints IP:PORT,... --model NAME`."""

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from chimera_conformance.case import DEFAULT, Level, Profile
from chimera_conformance.cases import STREAM_CASES
from chimera_conformance.gateway.engine import EngineError
from chimera_conformance.gateway.envoy import EnvoyError
from chimera_conformance.launching import LaunchError
from chimera_conformance.processes import own_endpoints
from chimera_conformance.report import Report, as_json, as_markdown, catalogue, table
from chimera_conformance.session import Plan, chosen, examine
from chimera_conformance.target import Endpoint, Target, parse_endpoints
from chimera_conformance.through import GATEWAY_CASES

FAILED, USAGE_ERROR = 1, 2
WIDTH = 160  # characters; a sentence cut short to fit a narrow terminal or a log says less


def run(  # noqa: PLR0913 - one parameter an option
    *,
    address: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the picker serves ext_proc.")] = "",
    picker: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COMMAND",
            help="Start the picker by this command instead; {port}, {endpoints}, {folder} and {python} are filled in. "
            "Several are run one after another.",
        ),
    ] = None,
    endpoints: Annotated[
        list[str] | None,
        typer.Option(
            metavar="IP:PORT,...",
            help="All endpoints of the pool, as the picker knows them. With --picker they may be left to the kit.",
        ),
    ] = None,
    model: Annotated[str, typer.Option(metavar="NAME", help="A model that clients may ask for.")] = "conformance",
    profile: Annotated[
        list[Profile] | None,
        typer.Option(help="What kind of picker it is set up to be; without it, all that need no set-up."),
    ] = None,
    case: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Only cases whose names match.")] = None,
    plaintext: Annotated[
        bool,
        typer.Option("--plaintext/--tls", help="Whether the picker speaks plain text, or TLS with any certificate."),
    ] = False,
    envoy: Annotated[
        bool, typer.Option("--envoy", help="Also look through the real Envoy; the kit then serves the endpoints.")
    ] = False,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the endpoints, for pickers that look at them.")] = False,
    health: Annotated[str, typer.Option(metavar="HOST:PORT", help="Of gRPC health, where it is elsewhere.")] = "",
    empty: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="A second picker without endpoints, for the profile empty.")
    ] = None,
    patience: Annotated[float, typer.Option(min=0.1, help="Seconds that one answer may take.")] = 5.0,
    body_cap: Annotated[int, typer.Option(min=1, metavar="BYTES", help="A body over this has to be refused.")] = 16
    * 1024
    * 1024,
    tiny_pieces: Annotated[int, typer.Option(min=1, help="One-byte pieces in the case about them.")] = 100_000,
    strict: Annotated[bool, typer.Option("--strict", help="A SHOULD that fails fails the run too.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report as JSON.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it as Markdown, to commit.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="Print all cases with rules and sources.")] = False,
) -> None:
    """Hold an endpoint picker against the endpoint picker protocol 1.0.0, as a gateway drives it.

    Exit codes: 0 every MUST holds; 1 one does not; 2 the picker, Envoy or an endpoint could not be reached or started.
    """
    if listed:
        _console().print(catalogue((*STREAM_CASES, *GATEWAY_CASES)))
        return
    if bool(address) == bool(picker):
        _refuse("name the picker by --address, or start it by --picker")
    target = Target(
        address=address,
        endpoints=_members(endpoints, chosen_here=bool(picker)),
        model=model,
        plaintext=plaintext,
        profiles=frozenset(profile) if profile else DEFAULT,
        health=health,
        empty=empty,
        patience=patience,
        body_cap=body_cap,
        tiny_pieces=tiny_pieces,
    )
    own = serve or envoy or not endpoints
    commands: Sequence[str | None] = picker or [None]
    plans = [
        Plan(target=target, folder=Path(), patterns=case or (), command=command, engines=own, gateway=envoy)
        for command in commands
    ]
    if not chosen((*STREAM_CASES, *GATEWAY_CASES), plans[0]):
        _refuse("--case, --profile: no case is left")
    reports = [_examined(plan) for plan in plans]
    _publish(reports, json_file=json_file, markdown=markdown)
    if any(report.broken({Level.MUST, Level.SHOULD} if strict else {Level.MUST}) for report in reports):
        raise typer.Exit(FAILED)


def _members(texts: Sequence[str] | None, *, chosen_here: bool) -> tuple[Endpoint, ...]:
    try:
        members = parse_endpoints(texts or ())
    except ValueError as error:
        _refuse(f"--endpoints: {error}")
    if not members and not chosen_here:
        _refuse("--endpoints: the pool of a picker that runs already has to be told")
    return members or own_endpoints()


def _examined(plan: Plan) -> Report:
    """Run one plan; the files of what it started stay where it could not be started."""
    folder = Path(tempfile.mkdtemp(prefix="chimera-conformance-"))
    try:
        report = Report(plan.command or plan.target.address, asyncio.run(examine(replace(plan, folder=folder))))
    except (LaunchError, EnvoyError, EngineError) as error:
        _refuse(str(error))
    shutil.rmtree(folder)
    _console().print(table(report))
    return report


def _publish(reports: Sequence[Report], *, json_file: Path | None, markdown: Path | None) -> None:
    if json_file is not None:
        json_file.write_text(as_json(reports), encoding="utf-8")
    if markdown is not None:
        markdown.write_text(as_markdown(reports), encoding="utf-8")


def _console() -> Console:
    console = Console(soft_wrap=False)
    console.width = max(console.width, WIDTH)
    return console


def _refuse(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(USAGE_ERROR)


def main() -> None:
    """Run the command line."""
    app = typer.Typer(pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})
    app.command()(run)
    app(prog_name="python -m chimera_conformance")


if __name__ == "__main__":
    main()
