"""The command line of one picker process, parsed once."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from chimera_router.prediction.compute import Device
from chimera_router.transports import Transport

DRAIN = 30.0  # seconds that open streams get after a stop is asked for; GIE's pickers take the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """What the process was told when it was started.

    Attributes:
        config: RouterConfig, as JSON.
        host: Address to bind.
        grpc_port: Of ext_proc and health.
        management_port: Of metrics, status, explain and feedback over HTTP.
        feedback_port: Of feedback over gRPC; None serves none.
        state_path: Folder that keeps what was learned; None keeps nothing.
        prediction_device: Where a bundle's transformer is computed.
        prediction_threads: Of a transformer on a processor.
        drain: Seconds that open streams get on SIGTERM.
        log_level: Least level of what is logged.
        cert_path: Folder with tls.crt and tls.key; None serves plain text.
        transport: What carries ext_proc streams.
        cache_salt_key: File with the secret that keeps tenants apart in engines' prefix caches; None keeps none apart.
        conformance_headers: Whether GIE's conformance tests may say where their requests go.
    """

    config: Path
    host: str
    grpc_port: int
    management_port: int
    feedback_port: int | None
    state_path: Path | None
    prediction_device: Device
    prediction_threads: int
    drain: float
    log_level: str
    cert_path: Path | None
    insecure: bool
    transport: Transport
    conformance_headers: bool
    cache_salt_key: Path | None


def parse() -> Arguments:
    """Return the arguments of this process; exit 2 with a usage line where they break a rule."""
    return Arguments(**vars(_parser().parse_args()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chimera_router", description="The endpoint picker of one pool, for any gateway with ext_proc."
    )
    parser.add_argument("--config", type=Path, required=True, help="RouterConfig, as JSON")
    parser.add_argument("--host", default="0.0.0.0", help="address to bind")  # noqa: S104 - gateways are elsewhere
    parser.add_argument("--grpc-port", type=int, default=9002, help="ext_proc and health")
    parser.add_argument("--management-port", type=int, default=9090, help="metrics, status, explain, feedback")
    parser.add_argument("--feedback-port", type=int, help="feedback over gRPC; not served where not given")
    parser.add_argument("--state-path", type=Path, metavar="DIR", help="folder that keeps what was learned")
    _add_prediction(parser)
    parser.add_argument("--drain", type=float, default=DRAIN, help="seconds that open streams get on SIGTERM")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    _add_transport(parser)
    return parser


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
    security = parser.add_mutually_exclusive_group(required=True)
    security.add_argument("--cert-path", type=Path, help="folder with tls.crt and tls.key")
    security.add_argument("--insecure", action="store_true", help="plain text")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
