"""The conformance kit and TLS: any certificate is good, but HTTP/2 has to be agreed on."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from examined import ENDPOINTS, failed
from tiny_picker import TinyPicker, served

from chimera_conformance import runner
from chimera_conformance.case import Profile
from chimera_conformance.cases import STREAM_CASES
from chimera_conformance.picker import connected
from chimera_conformance.target import Target, parse_endpoints
from chimera_conformance.verdicts import Verdict

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

NEGOTIATED, REFUSED = "tls.http2-is-negotiated", "tls.plaintext-is-refused"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a certificate that names nobody and that nobody signed."""
    folder = tmp_path_factory.mktemp("certificate")
    files = ["-keyout", str(folder / "tls.key"), "-out", str(folder / "tls.crt")]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made = ["openssl", "req", "-x509", *key, *files, "-subj", "/O=Nobody", "-days", "1"]
    subprocess.run(made, check=True, capture_output=True)
    return folder


@asynccontextmanager
async def tls_without_alpn(certificate: Path) -> AsyncIterator[str]:
    """Serve TLS that agrees on no protocol, and hangs up."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def examined(address: str, *profiles: Profile) -> list[runner.Outcome]:
    target = Target(address=address, endpoints=parse_endpoints(ENDPOINTS), model="m", patience=1.0)
    cases = [case for case in STREAM_CASES if case.profile in profiles and not case.alone]
    async with connected(target) as picker:
        return await runner.run(cases, picker, _settled)


async def _settled() -> None:
    return


async def test_any_certificate_is_good(certificate: Path) -> None:
    """A picker whose certificate names nobody is held against every case of the stream as one in plain text is."""
    pair = ((certificate / "tls.key").read_bytes(), (certificate / "tls.crt").read_bytes())
    credentials = grpc.ssl_server_credentials([pair])
    async with served(TinyPicker(ENDPOINTS), credentials=credentials) as address:
        outcomes = await examined(address, Profile.TLS, Profile.CORE, Profile.HEALTH)

    assert {outcome.verdict for outcome in outcomes} == {Verdict.PASSED}


async def test_missing_alpn_is_caught(certificate: Path) -> None:
    """A server that speaks TLS and chooses no protocol fails the case about it."""
    async with tls_without_alpn(certificate) as address:
        outcomes = await examined(address, Profile.TLS)

    assert failed(outcomes) == {NEGOTIATED}


async def test_plain_text_is_caught() -> None:
    """A picker that speaks plain text where TLS was asked for fails both cases."""
    async with served(TinyPicker(ENDPOINTS)) as address:
        outcomes = await examined(address, Profile.TLS)

    assert failed(outcomes) == {NEGOTIATED, REFUSED}
