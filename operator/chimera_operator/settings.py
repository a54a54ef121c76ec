"""The command line of one operator process, parsed once."""

import argparse
import math
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from chimera_operator.cluster.credentials import SERVICE_ACCOUNT
from chimera_operator.controller import RESYNC


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the process was told when it was started.

    Attributes:
        namespaces: Those that pools are looked for in; none for all.
        kubeconfig: File with the API server's address and credentials; None for those that every pod has.
        picker_image: Image of the picker where a pool gives none.
        simulator_image: Image that has the engine simulator.
        operator_namespace: Where the operator runs, and its lease is.
        operator_labels: Labels of its pods, by which network policies let it reach pickers.
        lease_name: Of the lease that the leader holds.
        identity: Tells this process from the others that stand for it.
        status_account: Service account in the operator's namespace that may read pickers' status; empty for none.
        host: Address to bind.
        management_port: Of probes and metrics.
        resync: Seconds after which a pool is looked at though nothing has happened.
        log_level: Least level of what is logged.
    """

    namespaces: tuple[str, ...]
    kubeconfig: Path | None
    picker_image: str
    simulator_image: str
    operator_namespace: str
    operator_labels: Mapping[str, str]
    lease_name: str
    identity: str
    status_account: str
    host: str
    management_port: int
    resync: float
    log_level: str


def parse(argv: Sequence[str] | None = None) -> Settings:
    """Return the settings, of this process where none are given; exit 2 with a usage line where they break a rule."""
    return _settings(_parser().parse_args(argv))


def of_container(arguments: Sequence[str], namespace: str) -> Settings:
    """Return the settings of an operator that runs elsewhere; what this version has no flag for is left out.

    Args:
        arguments: Of its container.
        namespace: Where it is.
    """
    told, _ = _parser().parse_known_args([f"--operator-namespace={namespace}", *arguments])
    return _settings(told)


def _settings(parsed: argparse.Namespace) -> Settings:
    told = vars(parsed)
    namespaces, labels = tuple(told.pop("namespaces")), dict(told.pop("operator_labels"))
    return Settings(**told, namespaces=namespaces, operator_labels=labels)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chimera_operator",
        description="Turns HeterogeneousModelPools into serving pods, routes and status. One of several leads.",
    )
    _add_cluster(parser)
    _add_rendered(parser)
    _add_election(parser)
    parser.add_argument("--host", default="0.0.0.0", help="address to bind")  # noqa: S104 - probes come from the node
    parser.add_argument("--management-port", type=int, default=9090, help="probes and metrics over HTTP")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    return parser


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--namespace",
        action="append",
        default=[],
        dest="namespaces",
        help="where pools are looked for, again for another one; everywhere where not given, which needs a ClusterRole",
    )
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="of the API server; in a pod it is not needed")
    parser.add_argument(
        "--resync",
        type=_seconds,
        default=RESYNC,
        metavar="SECONDS",
        help="after which a pool is looked at though nothing has happened; it costs no calls",
    )


def _add_rendered(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--picker-image", required=True, help="of pools that name none, best by digest")
    parser.add_argument("--simulator-image", required=True, help="of simulated engines")
    parser.add_argument(
        "--operator-label",
        action="append",
        type=_label,
        default=[],
        dest="operator_labels",
        metavar="KEY=VALUE",
        help="label of the operator's own pods, by which pickers' network policies let it in; again for another one",
    )
    parser.add_argument(
        "--status-account",
        default="",
        metavar="NAME",
        help="service account beside the operator's that may read pickers' status and nothing else: its token is sent "
        "to pods; without it no pool scales by its load",
    )


def _add_election(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--operator-namespace", default=_own_namespace(), metavar="NAME", help="where the lease is; a pod knows its own"
    )
    parser.add_argument("--lease-name", default="chimera-operator", metavar="NAME", help="what the leader holds")
    parser.add_argument(
        "--identity",
        default=f"{socket.gethostname()}_{uuid4()}",
        help="of this process; with a pod's name a container that restarts leads on at once",
    )


def _own_namespace() -> str:
    file = SERVICE_ACCOUNT / "namespace"
    return file.read_text().strip() if file.exists() else "default"


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError("must be KEY=VALUE")
    return key, value


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.0 < seconds < math.inf:
        raise argparse.ArgumentTypeError("must be above 0")
    return seconds
