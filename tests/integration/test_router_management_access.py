"""Who may have which management page, over HTTP and over gRPC, in plain text and over TLS."""

import json
from collections.abc import AsyncIterator

import grpc
import pytest
from access import FakeAuthority, gate
from aiohttp import ClientConnectorCertificateError, ClientSession
from aiohttp.test_utils import TestClient, TestServer
from authorities import Authority
from directors import director
from handshakes import Serving, client_context

from chimera_proto.feedback.v1alpha1 import feedback_pb2 as proto
from chimera_proto.feedback.v1alpha1 import feedback_pb2_grpc as services
from chimera_router.access.port import Verdict, Wanted
from chimera_router.feedback.server import FeedbackServer
from chimera_router.management.pages import Management
from chimera_router.management.server import serve

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

PAGES = [
    ("GET", "/metrics"),
    ("GET", "/chimera/v1/status"),
    ("POST", "/chimera/v1/explain"),
    ("POST", "/chimera/v1/feedback"),
]
ASK = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}]})


class Away(FakeAuthority):
    """Cannot say."""

    async def judge(self, token: str, wanted: Wanted) -> Verdict:  # noqa: ARG002 - nothing is known
        return Verdict.UNAVAILABLE


@pytest.fixture
def authority() -> FakeAuthority:
    return FakeAuthority(canary="*", scraper="/metrics")


@pytest.fixture
async def http(authority: FakeAuthority) -> AsyncIterator[TestClient]:
    pages = Management(director(), unready=lambda: "", gate=gate(authority))
    async with TestClient(TestServer(pages.app())) as client:
        yield client


async def call(http: TestClient, method: str, path: str, *bearers: str, data: str = ASK) -> tuple[int, str, str]:
    """Return the status, the code of the error and how to authenticate."""
    headers = [("authorization", f"Bearer {bearer}") for bearer in bearers]
    async with http.request(method, path, headers=headers, data=data if method == "POST" else None) as response:
        text = await response.text()
        assert "canary" not in text
        code = json.loads(text)["error"]["code"] if response.status >= 400 else ""
        return response.status, code, response.headers.get("www-authenticate", "")


@pytest.mark.parametrize(("method", "path"), PAGES)
async def test_page_asks_who_calls(http: TestClient, method: str, path: str) -> None:
    """Without a token that is known the answer is 401 and says how to come back, whatever the body is."""
    refusal = (401, "unauthenticated", "Bearer")

    assert await call(http, method, path) == refusal
    assert await call(http, method, path, "unknown", data="no json") == refusal
    assert await call(http, method, path, "canary", "canary") == refusal


@pytest.mark.parametrize(("method", "path"), PAGES)
async def test_page_is_for_whom_may_have_it(http: TestClient, method: str, path: str, authority: FakeAuthority) -> None:
    """A bearer with the right gets the page itself, another one 403."""
    status, code, _ = await call(http, method, path, "canary")
    assert status not in {401, 403}
    assert code in {"", "invalid_request"}
    if path != "/metrics":
        assert await call(http, method, path, "scraper") == (403, "forbidden", "")
    assert set(authority.asked) <= {("canary", Wanted(method.lower(), path)), ("scraper", Wanted(method.lower(), path))}


@pytest.mark.parametrize("path", ["/%6Detrics", "/chimera/v1/%73tatus", "/chimera/v1/status?x=/metrics"])
async def test_page_has_one_name_for_the_gate(http: TestClient, path: str) -> None:
    """However a client spells a path, the right that is needed is the page's own."""
    spelt = await call(http, "GET", path, "scraper")

    assert spelt[0] == (200 if path == "/%6Detrics" else 403)


async def test_probes_ask_nobody(http: TestClient, authority: FakeAuthority) -> None:
    """Probes have no token."""
    assert [(await call(http, "GET", path))[0] for path in ("/livez", "/readyz")] == [200, 200]
    assert authority.asked == []


async def test_metrics_may_be_open_alone(authority: FakeAuthority) -> None:
    """A page that was opened needs no token; the others still do."""
    pages = Management(director(), unready=lambda: "", gate=gate(authority, open_paths=["/metrics"]))
    async with TestClient(TestServer(pages.app())) as http:
        assert [(await call(http, method, path))[0] for method, path in PAGES] == [200, 401, 401, 401]


async def test_nobody_is_let_in_while_nobody_can_say() -> None:
    """Where callers cannot be told apart the answer is 503: a client may try again."""
    pages = Management(director(), unready=lambda: "", gate=gate(Away()))
    async with TestClient(TestServer(pages.app())) as http:
        assert await call(http, "GET", "/metrics", "canary") == (503, "authentication_unavailable", "")


@pytest.fixture
async def channel(authority: FakeAuthority) -> AsyncIterator[grpc.aio.Channel]:
    server = FeedbackServer(director(), address="127.0.0.1:0", gate=gate(authority), certificates=None)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as opened:
        yield opened
    await server.stop()


async def report(channel: grpc.aio.Channel, message: bytes, *bearers: str) -> tuple[grpc.StatusCode, str]:
    metadata = tuple(("authorization", f"Bearer {bearer}") for bearer in bearers)
    method = channel.unary_unary("/chimera.feedback.v1alpha1.Feedback/Report")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await method(message, metadata=metadata)
    assert "canary" not in (refused.value.details() or "")
    return refused.value.code(), refused.value.details() or ""


UNKNOWN = proto.ReportRequest(workflow_id="canary", success=1.0).SerializeToString()


@pytest.mark.parametrize(
    ("bearers", "code"),
    [
        ((), grpc.StatusCode.UNAUTHENTICATED),
        (("unknown",), grpc.StatusCode.UNAUTHENTICATED),
        (("canary", "canary"), grpc.StatusCode.UNAUTHENTICATED),
        (("scraper",), grpc.StatusCode.PERMISSION_DENIED),
        (("canary",), grpc.StatusCode.NOT_FOUND),
    ],
)
async def test_grpc_asks_as_http_does(
    channel: grpc.aio.Channel, authority: FakeAuthority, bearers: tuple[str, ...], code: grpc.StatusCode
) -> None:
    """The same rule by the same right; who may report is told that the workflow is not known."""
    assert (await report(channel, UNKNOWN, *bearers))[0] is code
    assert {wanted for _, wanted in authority.asked} <= {Wanted("post", "/chimera/v1/feedback")}


async def test_grpc_admits_nobody_while_nobody_can_say() -> None:
    """UNAVAILABLE has clients try again."""
    server = FeedbackServer(director(), address="127.0.0.1:0", gate=gate(Away()), certificates=None)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        assert (await report(channel, UNKNOWN, "canary"))[0] is grpc.StatusCode.UNAVAILABLE
    await server.stop()


async def test_grpc_message_that_is_none_is_refused_in_our_words(channel: grpc.aio.Channel) -> None:
    """Bytes that are no report are looked at once the caller is known, and not answered in a decoder's words."""
    assert (await report(channel, b"\xffcanary"))[0] is grpc.StatusCode.UNAUTHENTICATED
    assert await report(channel, b"\xffcanary", "canary") == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "The message must be a ReportRequest",
    )


SERVERS, OTHERS, GATEWAYS = Authority("servers"), Authority("others"), Authority("gateways")


@pytest.fixture
def serving() -> Serving:
    return Serving(SERVERS.sign(), GATEWAYS.certificate)


async def test_pages_over_tls_follow_the_certificate(serving: Serving) -> None:
    """With certificates the pages speak TLS only, ask no client for one, and swap as ext_proc's do."""
    pages = Management(director(), unready=lambda: "", gate=gate(FakeAuthority()))
    server = await serve(pages, host="127.0.0.1", port=0, certificates=serving.certificates)

    async def livez(trust: Authority) -> int:
        url, trusted = f"https://localhost:{server.port}/livez", client_context(trust.certificate)
        async with ClientSession() as http, http.get(url, ssl=trusted) as response:
            return response.status

    assert await livez(SERVERS) == 200
    serving.swap(OTHERS.sign(), GATEWAYS.certificate)
    assert await livez(OTHERS) == 200
    with pytest.raises(ClientConnectorCertificateError):
        await livez(SERVERS)
    await server.stop()


async def test_feedback_over_tls_needs_no_client_certificate(serving: Serving) -> None:
    """Applications have tokens; only gateways show certificates."""
    server = FeedbackServer(
        director(), address="127.0.0.1:0", gate=gate(FakeAuthority(good="*")), certificates=serving.certificates
    )
    await server.start()
    trust = grpc.ssl_channel_credentials(SERVERS.certificate)
    bearer = grpc.composite_channel_credentials(trust, grpc.access_token_call_credentials("good"))
    async with grpc.aio.secure_channel(f"localhost:{server.port}", bearer) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await services.FeedbackStub(channel).Report(proto.ReportRequest(workflow_id="unknown", success=1.0))
    await server.stop()

    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
