"""How this process meets the outside: the certificate it serves, and the gate before its management pages."""

import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog

from chimera_router.access import modes, tokens
from chimera_router.access.gate import Gate
from chimera_router.access.modes import Mode
from chimera_router.access.port import Authority
from chimera_router.arguments import Arguments
from chimera_router.errors import ConfigError
from chimera_router.following import Followed
from chimera_router.management.pages import METRICS
from chimera_router.telemetry.edge import CertificateCollector, refused_calls
from chimera_router.telemetry.metrics import Metrics
from chimera_router.tls import material
from chimera_router.tls.certificates import Certificates
from chimera_router.tls.material import Material

IN_POD = "KUBERNETES_SERVICE_HOST"  # the kubelet sets it for every container

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What outsiders meet.

    Attributes:
        certificates: What to serve TLS with; None serves plain text.
        gate: Knows who may see the management pages and report feedback.
        followed: The files behind them that are followed while the process serves.
    """

    certificates: Certificates | None
    gate: Gate
    followed: tuple[Followed[Any], ...]

    def work(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Return what has to go on while the process serves, to be run side by side."""
        return tuple(each.run() for each in self.followed)


@asynccontextmanager
async def opened(told: Arguments, metrics: Metrics) -> AsyncIterator[Edge]:
    """Yield what the arguments ask for.

    Raises:
        ConfigError: They contradict themselves, or a file breaks a rule.
    """
    certificate = None if told.insecure else _certificate(told, metrics)
    known = _tokens(told, metrics)
    refused = refused_calls(metrics.registry)
    async with _authority(told, known) as authority:
        yield Edge(
            certificates=None if certificate is None else Certificates(lambda: certificate.value),
            gate=Gate(
                authority,
                open_paths=() if told.metrics_endpoint_auth else (METRICS,),
                refused=lambda verdict: refused.labels(verdict).inc(),
            ),
            followed=tuple(filter(None, (certificate if told.cert_reload else None, known))),
        )


def _certificate(told: Arguments, metrics: Metrics) -> Followed[Material]:
    """Return the certificate in files or one made now, and the authorities of gateways where these must show one."""
    authorities = (told.client_ca,) if told.client_ca else ()
    follow = partial(Followed[Material], told=_teller("certificates", metrics, _describe))
    if told.cert_path:
        files = (told.cert_path / "tls.crt", told.cert_path / "tls.key")
        found = follow(str(told.cert_path), (*files, *authorities), make=material.parse)
    else:
        names = dict.fromkeys(("localhost", "127.0.0.1", "::1", socket.gethostname()))
        made = material.self_signed(tuple(names), now=datetime.now(UTC))
        found = follow(str(told.client_ca), authorities, make=partial(material.parse, made.certificate, made.key))
        _log.warning("the certificate is self-signed: gateways can only accept it unverified")
    _describe(found.value)
    metrics.watch(CertificateCollector(lambda: found.value.ends))
    return found


def _describe(served: Material) -> None:
    validity = {"begins": served.begins.isoformat(), "ends": served.ends.isoformat()}
    _log.info("certificate", fingerprint=served.fingerprint, **validity)
    if not served.begins <= datetime.now(UTC) <= served.ends:
        _log.warning("the certificate is not valid now: gateways that verify refuse it", **validity)


def _tokens(told: Arguments, metrics: Metrics) -> Followed[frozenset[bytes]] | None:
    path = told.management_token_file
    if path is None:
        return None
    return Followed(str(path), (path,), make=tokens.parse, told=_teller("tokens", metrics, lambda _: None))


@asynccontextmanager
async def _authority(told: Arguments, known: Followed[frozenset[bytes]] | None) -> AsyncIterator[Authority | None]:
    mode = modes.choose(told.management_auth, token_file=known is not None, host=told.host, in_pod=IN_POD in os.environ)
    _log.info("management", auth=mode, metrics_auth=told.metrics_endpoint_auth, tls=told.management_tls)
    if mode is Mode.KUBERNETES:
        # Half a second and 50 MB that no other mode needs.
        from chimera_router.access import kubernetes  # noqa: PLC0415 - as said above

        async with kubernetes.opened(clock=time.monotonic) as authority:
            yield authority
    else:
        yield None if known is None else tokens.KnownTokens(lambda: known.value)


def _teller(file: str, metrics: Metrics, applied: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return what logs and counts each swap of a value that is followed."""

    def tell(outcome: Any) -> None:
        if isinstance(outcome, ConfigError):
            metrics.reloads.labels(file, "refused").inc()
            _log.error("configuration refused, the old one stays", file=file, rule=str(outcome))
        else:
            metrics.reloads.labels(file, "applied").inc()
            _log.info("configuration applied", file=file)
            applied(outcome)

    return tell
