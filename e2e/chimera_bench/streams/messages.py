"""What a gateway says in one exchange, ready to be sent."""

import json

from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc

_REQUEST = {
    ":method": "POST",
    ":path": "/v1/chat/completions",
    ":scheme": "http",
    ":authority": "pool",
    "content-type": "application/json",
}


def request(number: int, size: int = 1_000) -> tuple[bytes, bytes]:
    """Return the messages of a request: headers, and a body of about so many bytes that no other has."""
    content = f"{'Summarise the report. ' * (size // 44)}{number} {'What follows from it? ' * (size // 44)}"
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": content}]}).encode()
    return _headers("request_headers", _REQUEST), _body("request_body", body)


def answer() -> tuple[bytes, bytes]:
    """Return the messages of an engine's answer, which ends the exchange."""
    usage = b'{"usage":{"prompt_tokens":250,"completion_tokens":80}}'
    status = {":status": "200", "content-type": "application/json"}
    return _headers("response_headers", status), _body("response_body", usage)


def _headers(name: str, fields: dict[str, str]) -> bytes:
    part = ext_proc.HttpHeaders()
    for key, value in fields.items():
        part.headers.headers.add(key=key, raw_value=value.encode())
    message: bytes = ext_proc.ProcessingRequest(**{name: part}).SerializeToString()
    return message


def _body(name: str, data: bytes) -> bytes:
    part = ext_proc.HttpBody(body=data, end_of_stream=True)
    message: bytes = ext_proc.ProcessingRequest(**{name: part}).SerializeToString()
    return message
