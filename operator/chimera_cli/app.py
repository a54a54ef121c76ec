"""Put the subcommands together."""

from typing import Annotated

import typer

import chimera_proto
from chimera_cli.bench import bench
from chimera_cli.calibrate import calibrate
from chimera_cli.demo import demo
from chimera_cli.evaluate import EvaluateCommand, evaluate
from chimera_cli.explain import explain
from chimera_cli.plan import plan
from chimera_cli.status import status
from chimera_cli.train import train
from chimera_cli.up import up

app = typer.Typer(
    name="chimera",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback with local variables could show prompts and keys
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (up, demo, plan, status, explain, train, calibrate):
    app.command()(command)
app.command(cls=EvaluateCommand)(evaluate)
app.add_typer(bench)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        typer.echo(f"chimera {chimera_proto.__version__}")
        raise typer.Exit


@app.callback()
def main_options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """One endpoint for a pool of language models: each request goes to the best model whose latency is acceptable."""
