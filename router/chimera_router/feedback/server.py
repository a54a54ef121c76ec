"""The gRPC service for reports, on a port of its own: gateways have no business there, applications none on theirs."""

from pathlib import Path

import grpc

from chimera_proto.feedback.v1alpha1 import feedback_pb2 as proto
from chimera_proto.feedback.v1alpha1 import feedback_pb2_grpc as services
from chimera_router.director import Director
from chimera_router.errors import AlreadyJudged, InvalidRequest, RequestError, UnknownWorkflow
from chimera_router.feedback.report import LARGEST, report
from chimera_router.listening import bind

_STATUS: dict[type[RequestError], grpc.StatusCode] = {
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    UnknownWorkflow: grpc.StatusCode.NOT_FOUND,
    AlreadyJudged: grpc.StatusCode.ALREADY_EXISTS,
}
_OPTIONS = [
    ("grpc.max_receive_message_length", LARGEST),
    ("grpc.so_reuseport", 0),  # a second picker on the port must fail, not share it
]

_Context = grpc.aio.ServicerContext[proto.ReportRequest, proto.ReportResponse]


class FeedbackServer:
    """Serves Feedback.

    Attributes:
        port: The port bound; what port 0 became.

    Raises:
        ConfigError: The port is taken, or a certificate cannot be read.
    """

    def __init__(self, director: Director, *, address: str, certificates: Path | None) -> None:
        self._server = grpc.aio.server(options=_OPTIONS)
        services.add_FeedbackServicer_to_server(_Servicer(director), self._server)
        self.port = bind(self._server, address=address, certificates=certificates)

    async def start(self) -> None:
        """Accept reports."""
        await self._server.start()

    async def stop(self) -> None:
        """Take no new reports; those under way take no time."""
        await self._server.stop(grace=None)


class _Servicer(services.FeedbackServicer):
    def __init__(self, director: Director) -> None:
        self._director = director

    async def Report(self, request: proto.ReportRequest, context: "_Context") -> proto.ReportResponse:  # noqa: N802 - gRPC's name
        try:
            return report(self._director, request)
        except RequestError as error:
            await context.abort(_STATUS[type(error)], str(error))
            raise
