"""The picker process and its surroundings: what it starts with, what it follows, what it refuses."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from aiohttp import ClientSession
from authorities import NOW, Authority
from grpc_health.v1 import health_pb2, health_pb2_grpc
from picker_processes import Picker, running, stopped, until

from chimera_router.access.tokens import SHORTEST

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

CA = Authority("ca")
FIRST, SECOND = "first-token-0123456789", "second-token-0123456789"


def events(log: str) -> list[str]:
    return [json.loads(line)["event"] for line in log.splitlines() if line.startswith("{")]


async def test_start_says_that_its_certificate_is_its_own(tmp_path: Path) -> None:
    """Without files the certificate is self-signed, and the log says so once."""
    picker = Picker(tmp_path, "127.0.0.1:1", "--log-level=info")
    async with running(picker) as process:
        log = await stopped(process)

    assert events(log).count("the certificate is self-signed: gateways can only accept it unverified") == 1
    assert "PRIVATE KEY" not in log


async def test_expired_certificate_is_served_and_told(tmp_path: Path) -> None:
    """Gateways that do not verify go on; the log says why others refuse."""
    folder = CA.sign(ends=NOW - timedelta(hours=1)).write(tmp_path / "tls")
    async with running(Picker(tmp_path, "127.0.0.1:1", "--cert-path", folder)) as process:
        log = await stopped(process)

    assert "the certificate is not valid now: gateways that verify refuse it" in events(log)


async def test_certificate_that_breaks_is_told(tmp_path: Path) -> None:
    """A pair that does not belong together changes nothing: handshakes go on, a metric and the log tell the rule."""
    folder = CA.sign().write(tmp_path / "tls")
    picker = Picker(tmp_path, "127.0.0.1:1", "--cert-path", folder)
    async with running(picker) as process:
        (folder / "tls.key").write_bytes(CA.sign().key)
        refused = 'chimera_config_reloads_total{file="certificates",result="refused"} 1.0'

        async def told() -> bool:
            return refused in await picker.metrics()

        await until(told)
        trust = grpc.ssl_channel_credentials(CA.certificate)
        async with grpc.aio.secure_channel(f"localhost:{picker.grpc}", trust) as channel:
            health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        page = await picker.metrics()
        log = await stopped(process)

    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert "chimera_certificate_expiry_timestamp_seconds" in page
    assert f"{folder}: tls.crt and tls.key do not belong together" in log


async def test_certificate_is_left_alone_where_asked(tmp_path: Path) -> None:
    """With --no-cert-reload only the file of tokens is followed."""
    folder, file = CA.sign().write(tmp_path / "tls"), tmp_path / "tokens"
    file.write_text(FIRST)
    options = ("--cert-path", folder, "--no-cert-reload", "--management-token-file", file)
    picker = Picker(tmp_path, "127.0.0.1:1", *options)
    async with running(picker), ClientSession(picker.url) as http:
        CA.sign().write(folder)
        file.write_text(SECOND)
        await until(lambda: known(http, SECOND))
        async with http.get("/metrics", headers={"authorization": f"Bearer {SECOND}"}) as response:
            page = await response.text()

    assert 'file="tokens",result="applied"' in page
    assert 'file="certificates"' not in page


async def known(http: ClientSession, token: str) -> bool:
    async with http.get("/metrics", headers={"authorization": f"Bearer {token}"}) as response:
        return response.status == 200


async def test_tokens_are_followed(tmp_path: Path) -> None:
    """A token that is added works soon, one that is taken out no longer; a file that breaks a rule changes nothing."""
    file = tmp_path / "tokens"
    file.write_text(FIRST)
    picker = Picker(tmp_path, "127.0.0.1:1", "--insecure", "--management-token-file", file)
    async with running(picker) as process, ClientSession(picker.url) as http:
        assert (await known(http, FIRST), await known(http, SECOND)) == (True, False)
        file.write_text(f"# rotated\n{SECOND}\n")
        await until(lambda: known(http, SECOND))
        assert not await known(http, FIRST)
        file.write_text("canary")
        await until(lambda: counted(http))
        log = await stopped(process)

    assert f"line 1: a token has at least {SHORTEST} characters" in log
    assert not any(secret in log for secret in ("canary", FIRST, SECOND))


async def counted(http: ClientSession) -> bool:
    """Say whether a refused file of tokens was counted."""
    async with http.get("/metrics", headers={"authorization": f"Bearer {SECOND}"}) as response:
        return 'file="tokens",result="refused"' in await response.text()


async def test_refused_calls_are_counted(tmp_path: Path) -> None:
    """By reason, on a page that may be open while the others are not."""
    file = tmp_path / "tokens"
    file.write_text(FIRST)
    options = ("--insecure", "--management-token-file", file, "--no-metrics-endpoint-auth")
    picker = Picker(tmp_path, "127.0.0.1:1", *options)
    async with running(picker), ClientSession(picker.url) as http:
        async with http.get("/chimera/v1/status") as response:
            assert response.status == 401
        page = await picker.metrics()

    assert 'chimera_management_refused_total{reason="unauthenticated"} 1.0' in page


async def refusal(picker: Picker) -> str:
    """Return the last line of a picker that does not start."""
    process = await picker.start()
    _, stderr = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    return stderr.decode().strip().splitlines()[-1]


async def test_open_management_is_refused_at_the_start(tmp_path: Path) -> None:
    """On an address that others reach, without a word about who may call, the picker does not start."""
    picker = Picker(tmp_path, "127.0.0.1:1", "--insecure")
    picker.host = "0.0.0.0"

    assert "--management-token-file FILE" in await refusal(picker)


@pytest.mark.parametrize("option", ["--cert-path", "--client-ca", "--management-token-file"])
async def test_missing_file_is_named(tmp_path: Path, option: str) -> None:
    """A file that was told and is not there ends the start with its name."""
    assert "nothing" in await refusal(Picker(tmp_path, "127.0.0.1:1", option, tmp_path / "nothing"))
