"""The command line of one picker process, parsed once."""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chimera_router.access.modes import Mode
from chimera_router.prediction.compute import Device
from chimera_router.sharing import settings as sharing
from chimera_router.transports import Transport

DRAIN = 30.0  # seconds that open streams get after a stop is asked for; GIE's pickers take the same


@dataclass(frozen=True, slots=True)
class ConfigMapName:
    """Which ConfigMap holds the RouterConfig."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What the process was told when it was started.

    Attributes:
        config: RouterConfig, as JSON: its file, or the ConfigMap that has it under the key `router.json`.
        kubeconfig: File with the API server's address and credentials; None for those that every pod has.
        host: Address to bind.
        grpc_port: Of ext_proc and health.
        management_port: Of metrics, status, explain and feedback over HTTP.
        feedback_port: Of feedback over gRPC; None serves none.
        state_path: Folder that keeps what was learned; None keeps nothing.
        shared_workflows: URL of the server that keeps workflows for all pickers of the pool; None remembers alone.
        shared_workflows_deadline: Seconds that a request waits for a look-up there.
        prediction_device: Where a bundle's transformer is computed.
        prediction_threads: Of a transformer on a processor.
        drain: Seconds that open streams get on SIGTERM.
        log_level: Least level of what is logged.
        transport: What carries ext_proc streams.
        cache_salt_key: File with the secret that keeps tenants apart in engines' prefix caches; None keeps none apart.
        conformance_headers: Whether GIE's conformance tests may say where their requests go.
        cert_path: Folder with tls.crt and tls.key; None serves with a certificate made at the start.
        cert_reload: Whether files of certificates are followed.
        client_ca: Authorities of the certificates that gateways must show, as PEM; None asks for none.
        insecure: Whether to serve plain text.
        management_auth: How callers of the management pages are known; None leaves it to what is safe.
        management_token_file: Tokens of those callers, one a line.
        metrics_endpoint_auth: Whether the metrics page asks as well.
        management_tls: Whether the pages are served over TLS.
    """

    config: Path | ConfigMapName
    kubeconfig: Path | None
    host: str
    grpc_port: int
    management_port: int
    feedback_port: int | None
    state_path: Path | None
    shared_workflows: str | None
    shared_workflows_deadline: float
    prediction_device: Device
    prediction_threads: int
    drain: float
    log_level: str
    transport: Transport
    conformance_headers: bool
    cache_salt_key: Path | None
    cert_path: Path | None
    cert_reload: bool
    client_ca: Path | None
    insecure: bool
    management_auth: Mode | None
    management_token_file: Path | None
    metrics_endpoint_auth: bool
    management_tls: bool


def parse(argv: Sequence[str] | None = None) -> Arguments:
    """Return the arguments, of this process where none are given; exit 2 with a usage line where they break a rule."""
    parser = _parser()
    told = Arguments(**vars(parser.parse_args(argv)))
    if told.insecure and (told.cert_path or told.client_ca or told.management_tls):
        parser.error("--insecure goes with none of --cert-path, --client-ca, --management-tls")
    return told


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chimera_router", description="The endpoint picker of one pool, for any gateway with ext_proc."
    )
    _add_config(parser)
    parser.add_argument("--host", default="0.0.0.0", help="address to bind")  # noqa: S104 - gateways are elsewhere
    parser.add_argument("--grpc-port", type=int, default=9002, help="ext_proc and health")
    parser.add_argument("--management-port", type=int, default=9090, help="metrics, status, explain, feedback")
    parser.add_argument("--feedback-port", type=int, help="feedback over gRPC; not served where not given")
    parser.add_argument("--state-path", type=Path, metavar="DIR", help="folder that keeps what was learned")
    _add_sharing(parser)
    _add_prediction(parser)
    parser.add_argument("--drain", type=float, default=DRAIN, help="seconds that open streams get on SIGTERM")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    _add_transport(parser)
    _add_tls(parser)
    _add_management(parser)
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    config = parser.add_mutually_exclusive_group(required=True)
    config.add_argument("--config", type=Path, help="RouterConfig, as JSON")
    config.add_argument(
        "--config-map",
        type=_config_map,
        dest="config",
        metavar="NAMESPACE/NAME",
        help="ConfigMap with the RouterConfig under the key router.json",
    )
    parser.add_argument("--kubeconfig", type=Path, help="for the Kubernetes API server; in a pod it is not needed")


def _add_sharing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        sharing.FLAG,
        metavar="URL",
        help="Valkey or Redis that keeps workflows for all pickers of the pool, redis://host:port/database or "
        f"rediss://; needs {sharing.SECRET}, takes {sharing.PASSWORD}, either also with _FILE",
    )
    parser.add_argument(
        f"{sharing.FLAG}-deadline",
        type=_seconds,
        default=sharing.DEADLINE,
        metavar="SECONDS",
        help="that a request waits for a look-up there",
    )


def _add_prediction(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--prediction-device",
        type=Device,
        choices=list(Device),
        default=Device.AUTO,
        help="where a bundle's transformer is computed",
    )
    parser.add_argument("--prediction-threads", type=_positive, default=1, help="of a transformer on a processor")


def _add_transport(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--transport",
        type=Transport,
        choices=list(Transport),
        default=Transport.NATIVE,
        help="what carries ext_proc: the picker's own HTTP/2, or grpc.aio",
    )
    parser.add_argument(
        "--conformance-headers",
        action="store_true",
        help="heed the headers of GIE's conformance tests; never for clients",
    )
    parser.add_argument(
        "--cache-salt-key", type=Path, metavar="FILE", help="secret that keeps tenants apart in engines' prefix caches"
    )


def _add_tls(parser: argparse.ArgumentParser) -> None:
    switch = argparse.BooleanOptionalAction
    parser.add_argument(
        "--cert-path", type=Path, metavar="DIR", help="folder with tls.crt and tls.key; self-signed where not given"
    )
    parser.add_argument("--cert-reload", action=switch, default=True, help="follow the files of certificates")
    parser.add_argument("--client-ca", type=Path, metavar="FILE", help="who signs what gateways must show (mTLS)")
    parser.add_argument("--insecure", action="store_true", help="plain text")


def _add_management(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--management-auth",
        type=Mode,
        choices=list(Mode),
        help="how callers of the management pages are known; where not given: by the token file if there is one, "
        "not at all on loopback, by Kubernetes in a pod",
    )
    parser.add_argument("--management-token-file", type=Path, metavar="FILE", help="their tokens, one a line")
    parser.add_argument(
        "--metrics-endpoint-auth",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="ask who reads the metrics as well",
    )
    # Plain by default, as in GIE's pickers: scrape configurations and probes expect it, and against a self-signed
    # certificate they would have to give up verification anyway.
    parser.add_argument("--management-tls", action="store_true", help="serve the pages with the same certificate")


def _config_map(text: str) -> ConfigMapName:
    namespace, _, name = text.partition("/")
    if not namespace or not name or "/" in name:
        raise argparse.ArgumentTypeError("must be NAMESPACE/NAME")
    return ConfigMapName(namespace, name)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.0 < seconds < math.inf:
        raise argparse.ArgumentTypeError("must be above 0")
    return seconds


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
