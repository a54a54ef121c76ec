"""Envoy's ext_proc messages to events, actions to messages."""

from collections.abc import Iterable

from envoy.config.core.v3.base_pb2 import HeaderMap, HeaderValue, HeaderValueOption
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from envoy.type.v3.http_status_pb2 import HttpStatus
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct

from chimera_router import wire
from chimera_router.errors import ProtocolViolation
from chimera_router.protocol import events

_OVERWRITE = HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD


class Undecodable:
    """A message that is not what the protocol defines; its bytes are forgotten."""


Received = events.Event | Undecodable


def decode(data: bytes) -> Received:
    """Return the event in a message. Never raises: gRPC would send the exception's text to the peer, input and all."""
    try:
        return _event(ext_proc.ProcessingRequest.FromString(data))
    except (DecodeError, ProtocolViolation):
        return Undecodable()


def encode(action: events.Send) -> bytes:
    """Return the message that carries an action."""
    data: bytes = _response(action).SerializeToString()
    return data


def _event(message: ext_proc.ProcessingRequest) -> events.Event:
    match message.WhichOneof("request"):
        case "request_headers":
            part = message.request_headers
            return events.RequestHeaders(
                headers=_headers(part.headers), end_of_stream=part.end_of_stream, subset=_subset(message)
            )
        case "request_body":
            return events.RequestBody(message.request_body.body, message.request_body.end_of_stream)
        case "request_trailers":
            return events.RequestTrailers()
        case "response_headers":
            part = message.response_headers
            return events.ResponseHeaders(
                headers=_headers(part.headers), end_of_stream=part.end_of_stream, served=_served(message)
            )
        case "response_body":
            return events.ResponseBody(message.response_body.body, message.response_body.end_of_stream)
        case "response_trailers":
            return events.ResponseTrailers()
        case _:
            raise ProtocolViolation("the message has no known part")


def _headers(headers: HeaderMap) -> dict[str, str]:
    return {header.key.lower(): _text(header) for header in headers.headers}


def _text(header: HeaderValue) -> str:
    text: str = header.raw_value.decode(errors="replace") if header.raw_value else header.value
    return text


def _subset(message: ext_proc.ProcessingRequest) -> frozenset[str] | None:
    """Return the gateway's subset hint, a list or one string with commas; None where there is none."""
    hint = message.metadata_context.filter_metadata.get(wire.SUBSET_NAMESPACE)
    if hint is None or wire.SUBSET not in hint.fields:
        return None
    value = hint.fields[wire.SUBSET]
    listed = [item.string_value for item in value.list_value.values] or value.string_value.split(",")
    return frozenset(address.strip() for address in listed if address.strip())


def _served(message: ext_proc.ProcessingRequest) -> str | None:
    metadata = message.metadata_context.filter_metadata.get(wire.DESTINATION_NAMESPACE)
    if metadata is None or wire.SERVED not in metadata.fields:
        return None
    served: str = metadata.fields[wire.SERVED].string_value
    return served


def _response(action: events.Send) -> ext_proc.ProcessingResponse:
    match action:
        case events.SendResponseBody(data, end_of_stream):  # first: one for each token of an answer
            return ext_proc.ProcessingResponse(response_body=_body(data, end_of_stream))
        case events.SendResponseHeaders(headers):
            common = ext_proc.CommonResponse(header_mutation=_mutation(headers))
            return ext_proc.ProcessingResponse(response_headers=ext_proc.HeadersResponse(response=common))
        case events.SendResponseTrailers():
            return ext_proc.ProcessingResponse(response_trailers=ext_proc.TrailersResponse())
        case events.SendImmediate():
            return ext_proc.ProcessingResponse(immediate_response=_immediate(action))
        case _:
            return _request(action)


def _request(
    action: events.SendRequestHeaders | events.SendRequestBody | events.SendRequestTrailers,
) -> ext_proc.ProcessingResponse:
    match action:
        case events.SendRequestHeaders(destination, headers):
            common = ext_proc.CommonResponse(clear_route_cache=True, header_mutation=_mutation(headers))
            return ext_proc.ProcessingResponse(
                request_headers=ext_proc.HeadersResponse(response=common), dynamic_metadata=_metadata(destination)
            )
        case events.SendRequestBody(data, end_of_stream):
            return ext_proc.ProcessingResponse(request_body=_body(data, end_of_stream))
        case events.SendRequestTrailers():
            return ext_proc.ProcessingResponse(request_trailers=ext_proc.TrailersResponse())


def _body(data: bytes, end_of_stream: bool) -> ext_proc.BodyResponse:  # noqa: FBT001 - mirrors the message
    streamed = ext_proc.StreamedBodyResponse(body=data, end_of_stream=end_of_stream)
    mutation = ext_proc.BodyMutation(streamed_response=streamed)
    return ext_proc.BodyResponse(response=ext_proc.CommonResponse(body_mutation=mutation))


def _mutation(headers: Iterable[tuple[str, str]]) -> ext_proc.HeaderMutation:
    """Return the edit that sets headers. Only raw_value: some Envoys refuse a header with both (envoy #31555)."""
    options = [
        HeaderValueOption(header=HeaderValue(key=name, raw_value=value.encode()), append_action=_OVERWRITE)
        for name, value in headers
    ]
    return ext_proc.HeaderMutation(set_headers=options)


def _metadata(destination: str) -> Struct:
    metadata = Struct()
    metadata.update({wire.DESTINATION_NAMESPACE: {wire.DESTINATION: destination}})
    return metadata


def _immediate(action: events.SendImmediate) -> ext_proc.ImmediateResponse:
    return ext_proc.ImmediateResponse(
        status=HttpStatus(code=action.status), body=action.body, headers=_mutation(action.headers)
    )
