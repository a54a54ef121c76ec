"""Chimera's own picker, a process of its own, held against the endpoint picker protocol."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LAUNCHER = f"{{python}} {ROOT}/e2e/conformance/pickers/chimera.py"
FILLED_IN = "--port {port} --endpoints {endpoints} --folder {folder}"


def conformed(flags: str, *options: str, profiles: list[str]) -> None:
    """Start the picker with flags and fail with the whole report where a MUST or a SHOULD does not hold."""
    picker = ["--picker", f"{LAUNCHER} {FILLED_IN} -- {flags}"]
    set_up = [part for profile in profiles for part in ("--profile", profile)]

    found = subprocess.run(
        [sys.executable, "-m", "chimera_conformance", *picker, "--envoy", "--strict", *set_up, *options],
        check=False,
        capture_output=True,
        text=True,
    )

    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("flags", "profiles"),
    [
        pytest.param("--insecure", ["core", "openai", "health", "limits", "robustness", "empty"], id="full duplex"),
    ],
)
def test_picker_conforms(flags: str, profiles: list[str]) -> None:
    """Every MUST and every SHOULD holds, on the gRPC stream and through the real Envoy."""
    conformed(flags, "--plaintext", profiles=profiles)


def test_picker_conforms_over_tls(tmp_path: Path) -> None:
    """With a certificate the picker agrees on HTTP/2, refuses plain text, and serves streams and Envoy as without."""
    files = ["-keyout", str(tmp_path / "tls.key"), "-out", str(tmp_path / "tls.crt")]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made = ["openssl", "req", "-x509", *key, *files, "-subj", "/CN=picker", "-days", "1"]
    subprocess.run(made, check=True, capture_output=True)

    some = [part for pattern in ("tls.*", "destination.*", "response.*", "envoy.*") for part in ("--case", pattern)]
    conformed(f"--cert-path {tmp_path}", "--tls", *some, profiles=["tls", "core"])
