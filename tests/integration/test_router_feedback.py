"""Feedback over real HTTP and real gRPC."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from access import open_gate
from aiohttp.test_utils import TestClient, TestServer
from directors import FakePredictor, director
from pools import prediction

from chimera_proto.feedback.v1alpha1 import feedback_pb2 as proto
from chimera_proto.feedback.v1alpha1 import feedback_pb2_grpc as services
from chimera_router.director import Director
from chimera_router.errors import ConfigError
from chimera_router.feedback.server import FeedbackServer
from chimera_router.management.pages import Management
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, parse
from chimera_router.protocol.events import Choose

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

PATH = "/chimera/v1/feedback"
WORKFLOW = {"x-chimera-workflow-id": "w-1", "x-chimera-tenant": "acme", "x-request-id": "r-1"}


@dataclass
class Judged:
    """A director that has decided one workflow, and what its predictor was told."""

    predictor: FakePredictor
    director: Director


@pytest.fixture
async def made() -> Judged:
    predictor = FakePredictor(small=prediction(0.4), large=prediction(0.9))
    found = Judged(predictor, director(predictor))
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}]}).encode()
    request = parse(Api.CHAT, body, Limits())
    (await found.director.choose(Choose(request=request, headers=WORKFLOW, pinned=None, subset=None))).close()
    return found


@pytest.fixture
async def http(made: Judged) -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(Management(made.director, unready=lambda: "", gate=open_gate()).app())) as opened:
        yield opened


@pytest.fixture
async def stub(made: Judged) -> AsyncIterator[services.FeedbackStub]:
    server = FeedbackServer(made.director, address="127.0.0.1:0", gate=open_gate(), certificates=None)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield services.FeedbackStub(channel)
    await server.stop()


async def post(http: TestClient, body: dict[str, Any] | bytes) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with http.post(PATH, data=data) as response:
        return response.status, await response.json()


@pytest.mark.parametrize("subject", [{"workflow_id": "w-1"}, {"workflowId": "w-1"}, {"request_id": "r-1"}])
async def test_http_report_is_counted(http: TestClient, made: Judged, subject: dict[str, str]) -> None:
    """By workflow or by request, in either spelling of the proto3 mapping; the answer names the model."""
    answer = await post(http, {**subject, "tenant": "acme", "success": 1})

    assert answer == (200, {"model": "large"})
    assert [(each.model, each.confidence, each.success) for each in made.predictor.judged] == [("large", 0.9, 1.0)]


async def test_http_report_counts_once(http: TestClient, made: Judged) -> None:
    """A repeated one is 409 in OpenAI's shape, and teaches nothing."""
    report = {"workflow_id": "w-1", "tenant": "acme", "success": 0}
    await post(http, report)

    status, body = await post(http, report)

    assert (status, body["error"]["code"], len(made.predictor.judged)) == (409, "already_judged", 1)


@pytest.mark.parametrize(
    "named",
    [
        {"workflow_id": "other", "tenant": "acme"},
        {"workflow_id": "w-1"},
        {"workflow_id": "w-1", "tenant": "canary"},
        {"request_id": "canary", "tenant": "acme"},
    ],
)
async def test_http_report_of_an_unknown_workflow_is_404(http: TestClient, made: Judged, named: dict[str, str]) -> None:
    """Of nobody, or of somebody else; the answer repeats nothing of what was sent."""
    status, body = await post(http, {**named, "success": 1})

    assert (status, body["error"]["code"], made.predictor.judged) == (404, "workflow_not_found", [])
    assert "canary" not in json.dumps(body)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"canary", 400),
        (b"\xff", 400),
        (b"[]", 400),
        (b"[" * 4000, 400),
        ({"workflow_id": "w-1", "success": 1, "canary": 1}, 400),
        ({"workflow_id": "w-1", "request_id": "r-1", "success": 1}, 400),
        ({"workflow_id": 7, "success": 1}, 400),
        ({"success": 1}, 400),
        ({"workflow_id": "", "success": 1}, 400),
        ({"workflow_id": "w-1"}, 400),
        ({"workflow_id": "w-1", "success": 1.01}, 400),
        ({"workflow_id": "w-1", "success": -1}, 400),
        ({"workflow_id": "w-1", "success": "NaN"}, 400),
        (b" " * 5000, 413),
    ],
)
async def test_http_report_that_breaks_a_rule_is_refused(
    http: TestClient, made: Judged, body: dict[str, Any] | bytes, status: int
) -> None:
    """The rule is told in OpenAI's shape, the input is not."""
    found, answer = await post(http, body)

    assert (found, set(answer["error"]), made.predictor.judged) == (status, {"message", "type", "param", "code"}, [])
    assert "canary" not in json.dumps(answer)


@pytest.mark.parametrize("subject", [{"workflow_id": "w-1"}, {"request_id": "r-1"}])
async def test_grpc_report_is_counted(stub: services.FeedbackStub, made: Judged, subject: dict[str, str]) -> None:
    """The same report, the same effect."""
    answer = await stub.Report(proto.ReportRequest(**subject, tenant="acme", success=0.5))

    assert answer == proto.ReportResponse(model="large")
    assert [each.success for each in made.predictor.judged] == [0.5]


async def failure(stub: services.FeedbackStub, **report: object) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.Report(proto.ReportRequest(**report))
    return failed.value.code(), failed.value.details() or ""


async def test_grpc_report_counts_once(stub: services.FeedbackStub, made: Judged) -> None:
    """A repeated one is ALREADY_EXISTS."""
    await stub.Report(proto.ReportRequest(workflow_id="w-1", tenant="acme", success=1.0))

    code, _ = await failure(stub, request_id="r-1", tenant="acme", success=1.0)

    assert (code, len(made.predictor.judged)) == (grpc.StatusCode.ALREADY_EXISTS, 1)


@pytest.mark.parametrize(
    ("report", "code"),
    [
        ({"workflow_id": "canary", "success": 1.0}, grpc.StatusCode.NOT_FOUND),
        ({"success": 1.0}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"workflow_id": "canary"}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"workflow_id": "canary", "success": float("nan")}, grpc.StatusCode.INVALID_ARGUMENT),
        ({"workflow_id": "canary" * 1000, "success": 1.0}, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
)
async def test_grpc_report_is_refused_by_its_code(
    stub: services.FeedbackStub, report: dict[str, object], code: grpc.StatusCode
) -> None:
    """Each rule has its status; the details repeat nothing of what was sent."""
    found, details = await failure(stub, **report)

    assert found is code
    assert "canary" not in details


async def test_taken_feedback_port_is_named(made: Judged) -> None:
    """A port that somebody else has is refused by name."""
    server = FeedbackServer(made.director, address="127.0.0.1:0", gate=open_gate(), certificates=None)
    await server.start()

    with pytest.raises(ConfigError, match=f"127.0.0.1:{server.port}: the port cannot be bound"):
        FeedbackServer(made.director, address=f"127.0.0.1:{server.port}", gate=open_gate(), certificates=None)

    await server.stop()
