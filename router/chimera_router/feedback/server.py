"""The gRPC service for reports, on a port of its own: gateways have no business there, applications none on theirs."""

import grpc
import structlog

from chimera_proto.feedback.v1alpha1 import feedback_pb2 as proto
from chimera_router.access.gate import Gate
from chimera_router.access.port import Wanted
from chimera_router.director import Director
from chimera_router.errors import (
    AlreadyJudged,
    AuthorityUnavailable,
    Forbidden,
    InvalidRequest,
    RequestError,
    Unauthenticated,
    UnknownWorkflow,
)
from chimera_router.feedback.report import LARGEST, PATH, decode, report
from chimera_router.listening import bind
from chimera_router.tls.certificates import Certificates

_STATUS: dict[type[RequestError], grpc.StatusCode] = {
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    UnknownWorkflow: grpc.StatusCode.NOT_FOUND,
    AlreadyJudged: grpc.StatusCode.ALREADY_EXISTS,
    Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    AuthorityUnavailable: grpc.StatusCode.UNAVAILABLE,
}
_OPTIONS = [
    ("grpc.max_receive_message_length", LARGEST),
    ("grpc.max_metadata_size", 16 * 1024),  # bytes; a service account's token has 1 KB
    ("grpc.max_concurrent_streams", 32),  # on a connection; a report takes no time
    ("grpc.server_handshake_timeout_ms", 5_000),  # who takes longer only holds a connection
    ("grpc.max_connection_idle_ms", 60_000),  # same; applications connect anew for their next report
    ("grpc.max_allowed_incoming_connections", 128),  # those beyond wait; neither gateways nor probes come here
    ("grpc.so_reuseport", 0),  # a second picker on the port must fail, not share it
]
_AT_ONCE = 128  # reports under way; beyond, RESOURCE_EXHAUSTED
_WANTED = Wanted(verb="post", path=PATH)

_Context = grpc.aio.ServicerContext[bytes, proto.ReportResponse]

_log = structlog.get_logger()


class FeedbackServer:
    """Serves Feedback.

    Attributes:
        port: The port bound; what port 0 became.

    Args:
        director: Told of the reports.
        address: `host:port` to bind.
        gate: Knows who may report.
        certificates: What to serve over TLS with; None serves plain text. Clients are asked for none: they have tokens.

    Raises:
        ConfigError: The port is taken.
    """

    def __init__(self, director: Director, *, address: str, gate: Gate, certificates: Certificates | None) -> None:
        self._server = grpc.aio.server(options=_OPTIONS, maximum_concurrent_rpcs=_AT_ONCE)
        self._server.add_generic_rpc_handlers((_Servicer(director, gate).handler(),))
        served = certificates and certificates.of_any_client()
        self.port = bind(self._server, address=address, certificates=served)

    async def start(self) -> None:
        """Accept reports."""
        await self._server.start()

    async def stop(self) -> None:
        """Take no new reports; those under way take no time."""
        await self._server.stop(grace=None)


class _Servicer:
    """Takes reports as bytes: gRPC answers one that cannot be decoded with the decoder's own words."""

    def __init__(self, director: Director, gate: Gate) -> None:
        self._director = director
        self._gate = gate

    def handler(self) -> grpc.GenericRpcHandler:
        method: grpc.RpcMethodHandler[bytes, proto.ReportResponse] = grpc.unary_unary_rpc_method_handler(
            self._report, response_serializer=proto.ReportResponse.SerializeToString
        )
        service = proto.DESCRIPTOR.services_by_name["Feedback"].full_name
        return grpc.method_handlers_generic_handler(service, {"Report": method})

    async def _report(self, message: bytes, context: "_Context") -> proto.ReportResponse:
        try:
            await self._gate.admit(_authorization(context), _WANTED)
            return await report(self._director, decode(message))
        except RequestError as error:
            await context.abort(_STATUS[type(error)], str(error))
        except Exception as error:  # noqa: BLE001 - gRPC would send its words to the caller
            _log.error("a report failed", kind=type(error).__name__)
            await context.abort(grpc.StatusCode.INTERNAL, "The picker failed to answer")
        raise AssertionError("abort raises")


def _authorization(context: "_Context") -> list[str]:
    metadata = context.invocation_metadata() or ()
    return [str(value) for key, value in metadata if key == "authorization"]
