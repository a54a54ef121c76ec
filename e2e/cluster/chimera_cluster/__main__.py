"""The command line: `python -m chimera_cluster up`, `down`, `run -- COMMAND`, `build NAME...`."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from chimera_cluster import lifecycle, namespace
from chimera_cluster.errors import ClusterError
from chimera_cluster.images import making
from chimera_cluster.images.parts import PARTS
from chimera_cluster.place import Place
from chimera_cluster.programs.catalog import PROGRAMS

PLACE = Place()
application = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@application.command()
def up() -> None:
    """Start the one-node cluster, unless it runs or KUBECONFIG names another one."""
    if given := os.environ.get("KUBECONFIG"):
        typer.echo(f"KUBECONFIG names a cluster: {given}")
        return
    lifecycle.up(PLACE)


@application.command()
def down() -> None:
    """End the cluster and remove all that it left."""
    lifecycle.down(PLACE)


@application.command()
def run(command: list[str]) -> NoReturn:
    """Run a command in the cluster's network, or simply run it where KUBECONFIG names another cluster."""
    environment = dict(os.environ)
    if not os.environ.get("KUBECONFIG"):
        command, environment = namespace.inside(PLACE, command), lifecycle.environment(PLACE)
    os.execvpe(command[0], command, environment)  # noqa: S606 - what the user asks for


@application.command()
def build(names: Annotated[list[str], typer.Argument(help=f"Of {', '.join(PROGRAMS.recipes)}.")]) -> None:
    """Build programs that are not built yet."""
    PROGRAMS.build_all(names)


@application.command()
def images(
    names: Annotated[list[str] | None, typer.Argument(help=f"Of {', '.join(PARTS)}; all if none.")] = None,
) -> None:
    """Build Chimera's images; print their sizes and write their bills of materials to out/images."""
    making.make_parts(names or PARTS, Path("out/images"))


def main() -> int:
    """Run the command line; return its exit code."""
    try:
        application()
    except ClusterError as error:
        sys.stderr.write(f"chimera_cluster: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
