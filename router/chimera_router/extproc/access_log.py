"""The gateway's access log over gRPC: it says when an answer has ended that the picker did not look at.

Envoy sends an entry a request, many in a message, to `envoy.service.accesslog.v3.AccessLogService`; of an entry only
the request's id, its flags and its time are read.
"""

from envoy.service.accesslog.v3 import als_pb2
from google.protobuf.message import DecodeError

from chimera_router.director import Director
from chimera_router.errors import ProtocolViolation

ANSWER: bytes = als_pb2.StreamAccessLogsResponse().SerializeToString()  # once, when the gateway has no more to log


def take(message: bytes, director: Director) -> None:
    """Tell the director what a message has logged.

    Raises:
        ProtocolViolation: It is none.
    """
    try:
        entries = als_pb2.StreamAccessLogsMessage.FromString(message).http_logs.log_entry
    except DecodeError:
        raise ProtocolViolation("the message cannot be decoded") from None
    for entry in entries:
        common = entry.common_properties
        took = common.time_to_last_downstream_tx_byte
        director.unseen.logged(
            entry.request.request_id,
            complete=not common.response_flags.ListFields(),  # each flag names something that went wrong
            seconds=took.ToNanoseconds() / 1e9 if common.HasField("time_to_last_downstream_tx_byte") else None,
        )
