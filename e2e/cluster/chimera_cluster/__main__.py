"""The command line: `python -m chimera_cluster up`, `run -- COMMAND`, `down`."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from chimera_cluster import gateway, lifecycle, namespace, network
from chimera_cluster.cluster import Cluster
from chimera_cluster.errors import ClusterError
from chimera_cluster.images import making
from chimera_cluster.images.parts import PARTS
from chimera_cluster.place import Place
from chimera_cluster.programs.catalog import PROGRAMS

PLACE = Place()
IMAGES = Path("out/images")
application = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@application.command()
def check() -> None:
    """See whether this machine can have a cluster, and install what that needs; exit 1 and say so where it cannot."""
    lifecycle.check(PLACE)


@application.command()
def up() -> None:
    """Start the cluster of this machine, unless it runs or KUBECONFIG names another one."""
    if given := os.environ.get("KUBECONFIG"):
        typer.echo(f"KUBECONFIG names a cluster: {given}")
    else:
        lifecycle.up(PLACE)


@application.command()
def down() -> None:
    """End the cluster of this machine and remove all that it left."""
    lifecycle.down(PLACE)


@application.command(context_settings={"ignore_unknown_options": True})
def run(command: list[str]) -> NoReturn:
    """Run a command in the cluster's network as its administrator; where KUBECONFIG names another, simply run it."""
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
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Of {', '.join(making.NAMES)}; without any, Chimera's.")
    ] = None,
) -> None:
    """Make images: their archives and bills of materials in out/images, a line with the size of each."""
    making.make(names or PARTS, IMAGES)


@application.command(gateway.NAME)
def envoy_gateway() -> None:
    """Install Envoy Gateway into the cluster of this machine."""
    found = network.find()
    if isinstance(found, network.Inside):
        gateway.install(Cluster(found.place.kubeconfig, found), IMAGES)
        return
    if found is not None:
        raise ClusterError("KUBECONFIG names a cluster: install Envoy Gateway there as its documentation says")
    PROGRAMS.build_all(gateway.PROGRAMS_NEEDED)
    making.make(gateway.IMAGES_NEEDED, IMAGES)
    run([sys.executable, "-m", "chimera_cluster", gateway.NAME])


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
