"""The picker with a certificate."""

import subprocess
from pathlib import Path

import grpc
import pytest
from directors import director
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chimera_router.errors import ConfigError
from chimera_router.extproc.health import Health
from chimera_router.extproc.server import Server, server
from chimera_router.transports import Transport

TRANSPORTS = pytest.mark.parametrize("transport", list(Transport))

pytestmark = [TRANSPORTS, pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    files = ["-keyout", str(tmp_path / "tls.key"), "-out", str(tmp_path / "tls.crt")]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "1"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run(["openssl", "req", "-x509", *key, *files, *subject], check=True, capture_output=True)
    return tmp_path


def picker(transport: Transport, certificates: Path) -> Server:
    health = Health()
    health.say(serving=True)
    return server(transport, director(), health, host="127.0.0.1", port=0, certificates=certificates)


async def serving(channel: grpc.aio.Channel) -> bool:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def test_certificate_is_served(transport: Transport, certificates: Path) -> None:
    """A client that trusts the certificate is answered over TLS."""
    running = picker(transport, certificates)
    await running.start()
    trust = grpc.ssl_channel_credentials((certificates / "tls.crt").read_bytes())

    async with grpc.aio.secure_channel(f"localhost:{running.port}", trust) as channel:
        assert await serving(channel)

    await running.stop(grace=0)


async def test_plain_text_is_refused_where_there_is_a_certificate(transport: Transport, certificates: Path) -> None:
    """A client without TLS gets nothing from a picker with a certificate."""
    running = picker(transport, certificates)
    await running.start()

    async with grpc.aio.insecure_channel(f"localhost:{running.port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await serving(channel)

    await running.stop(grace=0)


async def test_missing_certificate_is_named(transport: Transport, tmp_path: Path) -> None:
    """A folder without the two files is refused by name."""
    with pytest.raises(ConfigError, match=r"tls\.key and tls\.crt"):
        picker(transport, tmp_path)
