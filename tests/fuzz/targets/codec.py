"""Any bytes are an event or Undecodable, and what is read is what protobuf reads."""

from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf.message import DecodeError

from chimera_router.extproc import codec
from chimera_router.protocol import events

_BODIES = {"request_body": events.RequestBody, "response_body": events.ResponseBody}


def run(data: bytes) -> None:
    event = codec.decode(data)
    try:
        message = ext_proc.ProcessingRequest.FromString(data)
    except DecodeError:
        # Of a body's message the metadata is not read, so it may be anything.
        assert isinstance(event, codec.Undecodable | events.RequestBody | events.ResponseBody)
        return
    part = message.WhichOneof("request")
    kind = _BODIES.get(part)
    if kind is not None:
        body = getattr(message, part)
        assert event == kind(body.body, body.end_of_stream)
    assert isinstance(event, codec.Undecodable) is (part is None)
