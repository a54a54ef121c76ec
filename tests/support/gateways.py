"""A gateway as a raw gRPC client, and a picker server to drive with it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc

from chimera_router.director import Director
from chimera_router.extproc.health import Health
from chimera_router.extproc.paths import PROCESS
from chimera_router.extproc.server import Server, drain, server
from chimera_router.tls.certificates import Certificates
from chimera_router.transports import Transport

CHAT = {":method": "POST", ":path": "/v1/chat/completions", "content-type": "application/json"}
BODY = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}]}).encode()


@asynccontextmanager
async def picker(
    director: Director, transport: Transport = Transport.NATIVE, *, certificates: Certificates | None = None
) -> AsyncIterator[Server]:
    """Serve a director on a free port of this machine, over TLS where there are certificates."""
    health = Health()
    running = server(transport, director, health, host="127.0.0.1", port=0, certificates=certificates)
    await running.start()
    health.say(serving=True)
    try:
        yield running
    finally:
        await drain(running, health, grace=0.2)


class Stream:
    """One ext_proc stream, message by message."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        process = channel.stream_stream(
            PROCESS,
            request_serializer=ext_proc.ProcessingRequest.SerializeToString,
            response_deserializer=ext_proc.ProcessingResponse.FromString,
        )
        self.call = process()

    async def headers(self, headers: dict[str, str], *, end: bool = False, response: bool = False) -> None:
        part = ext_proc.HttpHeaders(end_of_stream=end)
        for key, value in headers.items():
            part.headers.headers.add(key=key, raw_value=value.encode())
        name = "response_headers" if response else "request_headers"
        await self.call.write(ext_proc.ProcessingRequest(**{name: part}))

    async def body(self, data: bytes, *, end: bool = False, response: bool = False) -> None:
        part = ext_proc.HttpBody(body=data, end_of_stream=end)
        name = "response_body" if response else "request_body"
        await self.call.write(ext_proc.ProcessingRequest(**{name: part}))

    async def read(self) -> ext_proc.ProcessingResponse:
        message = await self.call.read()
        assert message is not grpc.aio.EOF
        return message


def set_headers(part: ext_proc.HeadersResponse) -> dict[str, str]:
    """Return the headers that an answer sets; only raw values count, as in Envoy."""
    return {option.header.key: option.header.raw_value.decode() for option in part.response.header_mutation.set_headers}


def streamed(message: ext_proc.ProcessingResponse, direction: str) -> tuple[bytes, bool]:
    """Return the bytes and the end mark of a body answer."""
    part = getattr(message, f"{direction}_body").response.body_mutation.streamed_response
    return part.body, part.end_of_stream
