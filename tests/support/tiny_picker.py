"""A correct endpoint picker in few lines, to hold the conformance kit against. Chooses the first endpoint allowed."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"
NAMES = ("", "liveness", "readiness", "inference-extension", SERVICE)
DESTINATION = "x-gateway-destination-endpoint"
SERVED = "x-gateway-destination-endpoint-served"
SELECTION = "test-epp-endpoint-selection"
DUPLEX = {ProcessingMode.NONE, ProcessingMode.FULL_DUPLEX_STREAMED}  # NONE is what an old gateway leaves unset

Answer = Any  # a ProcessingResponse


class DisorderError(Exception):
    """The gateway broke the order."""


class TinyPicker:
    """Serves any number of streams. What the faults change is a method, an alteration or another kind of stream."""

    names: Sequence[str] = NAMES

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        cap: int = 4 << 20,
        several: bool = False,
        stream: "type[Stream] | None" = None,
        alter: Callable[[list[Answer]], list[Answer]] = lambda answers: answers,
    ) -> None:
        self.endpoints = tuple(endpoints)
        self.cap = cap
        self.several = several
        self.stream = stream or Stream
        self.alter = alter

    async def process(self, received: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        stream = self.stream(self)
        async for data in received:
            try:
                answers = stream.take(ext_proc.ProcessingRequest.FromString(data))
            except (DecodeError, DisorderError):
                await self.violated(context, data)
                return
            for answer in self.alter(answers):
                yield answer.SerializeToString()
            if stream.refused:
                return

    async def violated(self, context: Any, data: bytes) -> None:  # noqa: ARG002 - a fault tells it
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "out of order")


class Stream:
    """One exchange."""

    chunk = 62_000  # bytes

    def __init__(self, picker: TinyPicker) -> None:
        self.picker = picker
        self.opening: Any = None
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.routed = self.refused = False
        self.modes = (ProcessingMode.NONE, ProcessingMode.NONE)

    @property
    def duplex(self) -> bool:
        return self.modes[0] in DUPLEX

    def take(self, message: Any) -> list[Answer]:
        kind = message.WhichOneof("request")
        if kind is None or (self.opening is None) != (kind == "request_headers"):
            raise DisorderError
        if kind.startswith("response") and not self.routed:
            raise DisorderError
        answers: list[Answer] = getattr(self, kind)(message)
        return answers

    def request_headers(self, message: Any) -> list[Answer]:
        self.opening = message
        config = message.protocol_config
        self.modes = (config.request_body_mode, config.response_body_mode)
        for header in message.request_headers.headers.headers:
            self.headers[header.key] = header.raw_value.decode(errors="replace")
        if message.request_headers.end_of_stream:
            return self.route(message, None) if self.headers[":method"] == "GET" else self.refuse(400, "no body")
        if int(self.headers.get("content-length", 0)) > self.picker.cap:
            return self.refuse(413, "too large")
        return [] if self.duplex else [ext_proc.ProcessingResponse(request_headers=ext_proc.HeadersResponse())]

    def request_body(self, message: Any) -> list[Answer]:
        part = message.request_body
        if self.routed:
            if part.body:
                raise DisorderError
            return []
        self.body += part.body
        if len(self.body) > self.picker.cap:
            return self.refuse(413, "too large")
        return self.finish(message, trailers=False) if part.end_of_stream else []

    def request_trailers(self, message: Any) -> list[Answer]:
        answers = self.finish(message, trailers=True)
        trailers = ext_proc.ProcessingResponse(request_trailers=ext_proc.TrailersResponse())
        return answers if self.refused else [*answers, trailers]

    def response_headers(self, message: Any) -> list[Answer]:
        served = message.metadata_context.filter_metadata.get("envoy.lb")
        told = {"x-conformance-test-served-endpoint": served.fields[SERVED].string_value} if served else {}
        mutation = ext_proc.CommonResponse(header_mutation=header_mutation(told))
        return [ext_proc.ProcessingResponse(response_headers=ext_proc.HeadersResponse(response=mutation))]

    def response_body(self, message: Any) -> list[Answer]:
        if self.modes[1] not in DUPLEX:
            return [ext_proc.ProcessingResponse(response_body=ext_proc.BodyResponse())]
        part = message.response_body
        return [ext_proc.ProcessingResponse(response_body=streamed(part.body, part.end_of_stream))]

    def response_trailers(self, _message: Any) -> list[Answer]:
        return [ext_proc.ProcessingResponse(response_trailers=ext_proc.TrailersResponse())]

    def finish(self, message: Any, *, trailers: bool) -> list[Answer]:
        try:
            asked = json.loads(self.body)
            model = asked["model"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return self.refuse(400, "no JSON object with a model")
        if not isinstance(model, str):
            return self.refuse(400, "model must be text")
        body = self.rewritten(bytes(self.body), model)
        return self.route(message, body, ends=not trailers)

    def rewritten(self, body: bytes, model: str) -> bytes:
        name = json.dumps(model).encode()
        return body.replace(b'"model": ' + name, b'"model": "engine-' + name[1:], 1)

    def route(self, message: Any, body: bytes | None, *, ends: bool = True) -> list[Answer]:
        chosen = self.chosen(message)
        if not chosen:
            return self.refuse(503, "no endpoint")
        self.routed = True
        destination = ",".join(chosen if self.picker.several else chosen[:1])
        told = {DESTINATION: destination}
        if body is not None:
            told["content-length"] = str(len(body))
        return self.streamed(told, body, ends=ends) if self.duplex else self.buffered(told, body)

    def chosen(self, message: Any) -> list[str]:
        allowed = self.allowed(self.hint(message))
        if SELECTION not in self.headers:
            return allowed
        named = [item.strip() for item in self.headers[SELECTION].split(",")]
        return [each for each in allowed if each in named or each.rpartition(":")[0].strip("[]") in named]

    def allowed(self, hint: list[str] | None) -> list[str]:
        return [endpoint for endpoint in self.picker.endpoints if hint is None or endpoint in hint]

    def hint(self, message: Any) -> list[str] | None:
        found = message.metadata_context.filter_metadata.get("envoy.lb.subset_hint")
        if found is None:
            return None
        value = found.fields["x-gateway-destination-endpoint-subset"]
        listed = [item.string_value for item in value.list_value.values] or value.string_value.split(",")
        return [item.strip() for item in listed]

    def streamed(self, told: dict[str, str], body: bytes | None, *, ends: bool) -> list[Answer]:
        common = ext_proc.CommonResponse(header_mutation=header_mutation(told), clear_route_cache=True)
        head = ext_proc.ProcessingResponse(request_headers=ext_proc.HeadersResponse(response=common))
        pieces = [] if body is None else [body[start : start + self.chunk] for start in range(0, len(body), self.chunk)]
        last = len(pieces) - 1
        bodies = [streamed(piece, ends and index == last) for index, piece in enumerate(pieces)]
        return [with_metadata(head, told), *(ext_proc.ProcessingResponse(request_body=each) for each in bodies)]

    def buffered(self, told: dict[str, str], body: bytes | None) -> list[Answer]:
        common = ext_proc.CommonResponse(header_mutation=header_mutation(told))
        if body is None:
            head = ext_proc.ProcessingResponse(request_headers=ext_proc.HeadersResponse(response=common))
            return [with_metadata(head, told)]
        common.body_mutation.body = body
        whole = ext_proc.ProcessingResponse(request_body=ext_proc.BodyResponse(response=common))
        return [with_metadata(whole, told)]

    def refuse(self, status: int, message: str) -> list[Answer]:
        self.refused = True
        answer = ext_proc.ProcessingResponse()
        answer.immediate_response.status.code = status
        answer.immediate_response.body = json.dumps({"error": {"message": message}}).encode()
        told = {"content-type": "application/json", "x-dropped-reason": "refused"}
        answer.immediate_response.headers.CopyFrom(header_mutation(told))
        return [answer]


def header_mutation(headers: dict[str, str]) -> Any:
    overwrite = HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
    values = [HeaderValue(key=name, raw_value=value.encode()) for name, value in headers.items()]
    return ext_proc.HeaderMutation(
        set_headers=[HeaderValueOption(header=value, append_action=overwrite) for value in values]
    )


def streamed(data: bytes, end_of_stream: bool) -> Any:  # noqa: FBT001 - mirrors the message
    piece = ext_proc.StreamedBodyResponse(body=data, end_of_stream=end_of_stream)
    mutation = ext_proc.BodyMutation(streamed_response=piece)
    return ext_proc.BodyResponse(response=ext_proc.CommonResponse(body_mutation=mutation))


def with_metadata(answer: Any, told: dict[str, str]) -> Any:
    answer.dynamic_metadata.update({"envoy.lb": {DESTINATION: told[DESTINATION]}})
    return answer


@asynccontextmanager
async def served(
    picker: TinyPicker, *, credentials: grpc.ServerCredentials | None = None, port: int = 0
) -> AsyncIterator[str]:
    """Serve a picker on this machine, in plain text unless there are credentials, and yield its address."""
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 8 << 20)])
    process = grpc.stream_stream_rpc_method_handler(picker.process)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Process": process}),))
    healthy = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    await healthy.set("", health_pb2.HealthCheckResponse.NOT_SERVING)  # in place of its default
    for name in picker.names:
        await healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
    place = f"127.0.0.1:{port}"
    bound = server.add_secure_port(place, credentials) if credentials else server.add_insecure_port(place)
    await server.start()
    try:
        yield f"127.0.0.1:{bound}"
    finally:
        await server.stop(0)
