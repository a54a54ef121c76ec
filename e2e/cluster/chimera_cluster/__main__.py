"""The command line: `python -m chimera_cluster up`, `run -- COMMAND`, `down`."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from chimera_cluster import conformance, gateway, gateways, lifecycle, namespace, network
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


@application.command(gateways.ENVOY_GATEWAY.name)
def envoy_gateway() -> None:
    """Install Envoy Gateway into the cluster of this machine."""
    _install(gateways.ENVOY_GATEWAY)


@application.command(gateways.ISTIO.name)
def istio() -> None:
    """Install Istio into the cluster of this machine, with the Envoy of this machine for its gateways."""
    _install(gateways.ISTIO)


@application.command(conformance.NAME)
def gie_conformance(
    report: Annotated[Path, typer.Option(help="File for the suite's report.")] = Path("out/gie-conformance.yaml"),
    test: Annotated[str, typer.Option(help="The one test to run; without it, all.")] = "",
    skip: Annotated[list[str] | None, typer.Option(help="A test not to run; repeat it.")] = None,
) -> None:
    """Hold Istio, in the cluster of this machine, against GIE's conformance suite, with Chimera's picker behind it."""
    found = network.find()
    if isinstance(found, network.Inside):
        asked = conformance.Asked(report=report, test=test, skipped=skip or ())
        conformance.run(Cluster(found.place.kubeconfig, found), IMAGES, asked)
        return
    if found is not None:
        raise ClusterError("KUBECONFIG names a cluster: its gateway is held against the suite as GIE describes it")
    PROGRAMS.build_all([conformance.NAME])
    making.make(conformance.IMAGES_NEEDED, IMAGES)
    _again_inside()


def _install(chosen: gateway.Gateway) -> None:
    found = network.find()
    if isinstance(found, network.Inside):
        gateway.install(chosen, Cluster(found.place.kubeconfig, found), IMAGES)
        return
    if found is not None:
        raise ClusterError(f"KUBECONFIG names a cluster: install {chosen.title} there as its documentation says")
    PROGRAMS.build_all(chosen.programs)
    making.make(chosen.images, IMAGES)
    _again_inside()


def _again_inside() -> NoReturn:
    """Run the command that was given in the cluster's network."""
    run([sys.executable, "-m", "chimera_cluster", *sys.argv[1:]])


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
