"""A report to a judgement, whichever way it came."""

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from chimera_proto.feedback.v1alpha1 import feedback_pb2 as proto
from chimera_router.director import Director
from chimera_router.errors import BodyTooLarge, InvalidRequest

PATH = "/chimera/v1/feedback"  # over HTTP; who may post there may report over gRPC too
LARGEST = 4096  # bytes; an id and a tenant of 128 characters each take 1 KiB at most, 3 KiB escaped in JSON


def parse(body: bytes) -> proto.ReportRequest:
    """Return the report in a JSON body.

    Raises:
        BodyTooLarge: It is longer than any report.
        InvalidRequest: It is no ReportRequest.
    """
    if len(body) > LARGEST:
        raise BodyTooLarge(limit=LARGEST)
    try:
        return json_format.Parse(body, proto.ReportRequest())
    except (json_format.ParseError, ValueError, RecursionError) as error:
        rule = "The body must be a JSON object of workflow_id or request_id, tenant and success, and nothing else"
        raise InvalidRequest(rule) from error


def decode(message: bytes) -> proto.ReportRequest:
    """Return the report in a protobuf message.

    Raises:
        InvalidRequest: It is no ReportRequest.
    """
    try:
        return proto.ReportRequest.FromString(message)
    except DecodeError as error:
        raise InvalidRequest("The message must be a ReportRequest") from error


async def report(director: Director, message: proto.ReportRequest) -> proto.ReportResponse:
    """Hand a report to the director.

    Raises:
        InvalidRequest: It names no workflow, or its success is no share.
        UnknownWorkflow: It names one that is not known.
        AlreadyJudged: It names one that was judged.
    """
    if not message.workflow_id and not message.request_id:
        raise InvalidRequest("One of workflow_id and request_id must be set", param="workflow_id")
    if not (message.HasField("success") and 0.0 <= message.success <= 1.0):
        raise InvalidRequest("success must be a number from 0 to 1", param="success")
    model = await director.judge(
        message.success, tenant=message.tenant, workflow_id=message.workflow_id, request_id=message.request_id
    )
    return proto.ReportResponse(model=model)
