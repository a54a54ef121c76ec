"""Nothing that clients send appears where others read: the log, the metrics, errors."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from aiohttp import ClientSession
from authorities import Authority
from engines import engine
from envoys import gateway, over_tls
from gateways import CHAT, Stream
from picker_processes import Picker, running

from chimera_router.extproc.paths import PROCESS

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

CANARY = "canary7f3a0123456789"
KNOWN = "known-token-0123456789"
CA = Authority("ca")

SECRETS = {
    "authorization": f"Bearer {CANARY}",
    "cookie": f"session={CANARY}",
    "x-api-key": CANARY,
    "x-session-id": CANARY,
    "x-chimera-tenant": CANARY,
    "x-chimera-application": CANARY,
    "x-chimera-workflow-id": CANARY,
    "x-gateway-destination-endpoint": CANARY,
    "x-llm-d-inference-objective": CANARY,
}


def bodies() -> Iterator[bytes]:
    """Yield requests good and bad, each with the secret."""
    message = {"role": "user", "content": CANARY}
    yield json.dumps({"model": "auto", "messages": [message], "user": CANARY, "metadata": {CANARY: CANARY}}).encode()
    yield json.dumps({"model": CANARY, "messages": [message]}).encode()
    yield json.dumps({"model": "auto", "messages": CANARY}).encode()
    yield json.dumps({"model": "auto", "messages": [message], "n": CANARY, CANARY: 1}).encode()
    yield f'{{"model": "auto", "{CANARY}'.encode()
    yield b"\xff\xfe" + CANARY.encode()


class Seen:
    """What came back, of what a stranger may read."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    async def call(self, http: ClientSession, method: str, path: str, **options: object) -> int:
        """Call over HTTP; keep the headers, and the body where it is an error."""
        async with http.request(method, path, **options) as response:  # type: ignore[arg-type]
            text = await response.text()
            self.errors.append(text if response.status >= 400 else "")
            self.errors.append(
                str({name: value for name, value in response.headers.items() if "workflow" not in name.lower()})
            )
            return response.status


@pytest.fixture
def seen() -> Seen:
    return Seen()


@asynccontextmanager
async def picker_at_debug(folder: Path, address: str) -> AsyncIterator[Picker]:
    """Run the picker as in production, at its most talkative; its output goes to a file."""
    (folder / "tokens").write_text(KNOWN)
    certificate = CA.sign().write(folder / "tls")
    options = ("--log-level=debug", "--cert-path", certificate, "--management-token-file", folder / "tokens")
    picker = Picker(folder, address, *options)
    picker.environment = {"PYTHONASYNCIODEBUG": "1"}
    with (folder / "output").open("wb") as picker.output:
        async with running(picker) as process:
            yield picker
            process.terminate()
            await asyncio.wait_for(process.wait(), 20)


async def test_no_secret_appears_anywhere(tmp_path: Path, seen: Seen) -> None:
    """Prompts, keys, cookies, tokens, names of clients: none is in the log, on the metrics page or in an error."""
    async with engine("small") as address, picker_at_debug(tmp_path, address) as picker:
        async with gateway(tmp_path, picker_port=picker.grpc, adapt=over_tls) as url, ClientSession(url) as http:
            await through_the_gateway(http, seen)
        await to_the_picker(picker, seen)
        async with ClientSession(picker.url) as http:
            await to_the_pages(http, seen)
            await as_garbage(picker.management)
            async with http.get("/metrics", headers={"authorization": f"Bearer {KNOWN}"}) as response:
                page = await response.text()
        await as_feedback(picker, seen)
    output = (tmp_path / "output").read_text()

    assert "chimera_requests_total" in page
    assert 'chimera_management_refused_total{reason="unauthenticated"}' in page
    assert "serving" in output
    assert "violation" in output
    places = {"log": output, "metrics": page, "errors": "\n".join(seen.errors)}
    assert [place for place, text in places.items() if CANARY in text or KNOWN in text] == []


async def through_the_gateway(http: ClientSession, seen: Seen) -> None:
    """Ask as clients do, through Envoy."""
    chat = "/v1/chat/completions"
    statuses = [await seen.call(http, "POST", chat, data=body, headers=SECRETS) for body in bodies()]
    assert statuses[0] == 200
    assert set(statuses[1:]) <= {200, 400, 404}
    assert await seen.call(http, "POST", f"/{CANARY}", data=CANARY, headers=SECRETS) == 404
    assert await seen.call(http, "GET", f"{chat}?key={CANARY}", headers=SECRETS) in {404, 405}


async def to_the_picker(picker: Picker, seen: Seen) -> None:
    """Break the protocol as gateways should not."""
    trust = grpc.ssl_channel_credentials(CA.certificate)
    async with grpc.aio.secure_channel(f"localhost:{picker.grpc}", trust) as channel:
        stream = Stream(channel)
        await stream.headers({**CHAT, **SECRETS})
        await stream.body(CANARY.encode(), end=True)
        seen.errors.append(str(await stream.read()))
        stream.call.cancel()
        garbage = channel.stream_stream(PROCESS)()
        await garbage.write(b"\xff" + CANARY.encode())
        assert await garbage.code() is grpc.StatusCode.INVALID_ARGUMENT
        seen.errors.append(await garbage.details())


async def to_the_pages(http: ClientSession, seen: Seen) -> None:
    """Call the management pages with a token that is known and with one that is not."""
    for headers in (SECRETS, SECRETS | {"authorization": f"Bearer {KNOWN}"}):
        for path in ("/metrics", "/chimera/v1/status", f"/{CANARY}"):
            await seen.call(http, "GET", path, headers=headers)
        for path in ("/chimera/v1/explain", "/chimera/v1/feedback", f"/{CANARY}"):
            for body in bodies():
                await seen.call(http, "POST", path, data=body, headers=headers)
    assert await seen.call(http, CANARY, "/metrics", headers=SECRETS) in {400, 405}


async def as_garbage(port: int) -> None:
    """Send what is no HTTP."""
    lines = (CANARY, f"GET / HTTP/1.1\r\n{CANARY}", f"GET / HTTP/1.1\r\nhost: x\r\nexpect: {CANARY}")
    for line in lines:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(line.encode() + b"\r\nconnection: close\r\n\r\n")
        assert CANARY.encode() not in await reader.read()
        writer.close()


async def as_feedback(picker: Picker, seen: Seen) -> None:
    """Report over gRPC with tokens known and unknown, and with bytes that are no report."""
    trust = grpc.ssl_channel_credentials(CA.certificate)
    async with grpc.aio.secure_channel(f"localhost:{picker.feedback}", trust) as channel:
        method = channel.unary_unary("/chimera.feedback.v1alpha1.Feedback/Report")
        for token in (CANARY, KNOWN):
            metadata = (("authorization", f"Bearer {token}"), ("x-api-key", CANARY))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await method(b"\xff" + CANARY.encode(), metadata=metadata)
            seen.errors.append(f"{refused.value.code()} {refused.value.details()}")
