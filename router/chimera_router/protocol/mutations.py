"""Turn the domain's values into header edits, status codes and bodies of the wire."""

import msgspec

from chimera_router import wire
from chimera_router.errors import (
    AlreadyJudged,
    AuthorityUnavailable,
    BodyTooLarge,
    Forbidden,
    HeadersTooLarge,
    InvalidRequest,
    NoEndpoints,
    Overloaded,
    RequestError,
    RequestTimeout,
    TooSlow,
    Unauthenticated,
    UnknownModel,
    UnknownPage,
    UnknownPath,
    UnknownResponse,
    UnknownWorkflow,
    UnsupportedGateway,
    WrongMethod,
)
from chimera_router.protocol.events import Headers, SendImmediate
from chimera_router.scheduling.types import Decision

CHUNK = 62_000  # bytes; gateways cap an ext_proc message at 64 KiB (GIE #854)

_JSON: Headers = ((wire.CONTENT_TYPE, "application/json"),)
_STATUS: dict[type[RequestError], tuple[int, str, str]] = {
    InvalidRequest: (400, "invalid_request_error", "invalid_request"),
    UnknownModel: (404, "invalid_request_error", "model_not_found"),
    UnknownPath: (404, "invalid_request_error", "unknown_url"),
    WrongMethod: (405, "invalid_request_error", "method_not_allowed"),
    TooSlow: (408, "invalid_request_error", "request_timeout"),
    BodyTooLarge: (413, "invalid_request_error", "request_too_large"),
    HeadersTooLarge: (431, "invalid_request_error", "headers_too_large"),
    UnknownResponse: (400, "invalid_request_error", "previous_response_not_found"),  # the status of OpenAI's own API
    UnknownWorkflow: (404, "invalid_request_error", "workflow_not_found"),
    AlreadyJudged: (409, "invalid_request_error", "already_judged"),
    UnknownPage: (404, "invalid_request_error", "unknown_url"),
    RequestTimeout: (408, "invalid_request_error", "request_timeout"),
    Unauthenticated: (401, "authentication_error", "unauthenticated"),
    Forbidden: (403, "permission_error", "forbidden"),
    AuthorityUnavailable: (503, "server_error", "authentication_unavailable"),
    Overloaded: (429, "rate_limit_error", "rate_limit_exceeded"),
    UnsupportedGateway: (500, "server_error", "unsupported_gateway"),
    NoEndpoints: (503, "server_error", "no_endpoints"),
}


def answer(body: bytes) -> SendImmediate:
    """Return 200 with a JSON body of the picker's own."""
    return SendImmediate(status=200, body=body, headers=_JSON)


def refusal(error: RequestError) -> SendImmediate:
    """Return the error as OpenAI's clients expect it."""
    status, kind, code = _STATUS[type(error)]
    param = error.param if isinstance(error, InvalidRequest | UnknownResponse) else None
    return _failure(
        status, str(error), kind=kind, code=code, param=param, headers=(*_reason(error, code), *_extra(error))
    )


def engine_failure(status: int) -> SendImmediate:
    """Return the answer where the gateway could not reach the engine, or it broke down before its first word."""
    return _failure(
        status,
        "The engine did not answer; try again",
        kind="server_error",
        code="engine_unreachable",
        headers=((wire.DROPPED_REASON, "engine_unreachable"),),
    )


def broken() -> SendImmediate:
    """Return the answer where this process itself failed; what failed stays in its log."""
    return _failure(500, "The picker failed to answer", kind="server_error", code="internal_error")


def chunks(body: bytes) -> list[bytes]:
    """Cut a body into pieces that every gateway takes; an empty body is one empty piece."""
    return [body[start : start + CHUNK] for start in range(0, len(body), CHUNK)] or [b""]


def explanation(decision: Decision, *, held: int | None = None) -> str:
    """Return the decision as one line of JSON: each model's confidence, seconds, tokens and verdict.

    Args:
        decision: What was or would be decided.
        held: Requests that wait in the picker; left out where it is None.
    """
    models = [
        {
            "model": verdict.model,
            "confidence": round(verdict.confidence, 4),
            "latency_s": _rounded(verdict.latency),
            "delay_s": _rounded(verdict.delay),
            "remaining_tokens": round(verdict.remaining_tokens, 1),
            "verdict": verdict.verdict,
        }
        for verdict in decision.verdicts
    ]
    outline: dict[str, object] = {
        "model": decision.model,
        "endpoint": decision.endpoint.name,
        "policy": decision.policy,
        "reason": decision.reason,
        "predictor": decision.source,
        "application": decision.application,
        "priority": decision.priority,
        "models": models,
    }
    if held is not None:
        outline["held"] = held
    return msgspec.json.encode(outline).decode()


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


def _reason(error: RequestError, code: str) -> Headers:
    """Return why, for machines: of a dropped request also under the name that the field's other pickers use."""
    if isinstance(error, NoEndpoints | Overloaded):
        return ((wire.DROPPED_REASON, error.reason.value), (wire.LLM_D_DROPPED_REASON, error.reason.value))
    return ((wire.DROPPED_REASON, code),)


def _extra(error: RequestError) -> Headers:
    if isinstance(error, Overloaded):
        return ((wire.RETRY_AFTER, str(error.retry_after)),)
    if isinstance(error, WrongMethod):
        return (("allow", error.allowed),)
    if isinstance(error, Unauthenticated):
        return (("www-authenticate", "Bearer"),)
    return ()


def _failure(  # noqa: PLR0913 - the fields of OpenAI's error object
    status: int, message: str, *, kind: str, code: str, param: str | None = None, headers: Headers = ()
) -> SendImmediate:
    body = msgspec.json.encode({"error": {"message": message, "type": kind, "param": param, "code": code}})
    return SendImmediate(status=status, body=body, headers=_JSON + headers)
