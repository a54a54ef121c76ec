"""Chimera's own picker, a process of its own, held against the endpoint picker protocol."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LAUNCHER = f"{{python}} {ROOT}/e2e/conformance/pickers/chimera.py"
FILLED_IN = "--port {port} --endpoints {endpoints} --folder {folder}"
EVERY = ("core", "buffered", "openai", "health", "limits", "robustness", "conformance-headers", "empty")


def conformed(flags: str, *options: str, profiles: Sequence[str], cases: Sequence[str] = ()) -> None:
    """Start the picker with flags and fail with the whole report where a MUST or a SHOULD does not hold."""
    chosen = [part for profile in profiles for part in ("--profile", profile)]
    chosen += [part for pattern in cases for part in ("--case", pattern)]

    kit = [sys.executable, "-m", "chimera_conformance", "--envoy", "--strict"]
    picker = ["--picker", f"{LAUNCHER} {FILLED_IN} {flags}"]
    found = subprocess.run([*kit, *picker, *chosen, *options], check=False, capture_output=True, text=True)

    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("transport", ["native", "grpc"])
def test_picker_conforms(transport: str) -> None:
    """Every MUST and every SHOULD holds, on the gRPC stream and through the real Envoy, by either transport."""
    conformed(f"-- --insecure --transport={transport} --conformance-headers", "--plaintext", profiles=EVERY)


def test_picker_that_names_several_conforms() -> None:
    """Set up to name endpoints to fall back on, it names them in order, within the hint, and Envoy goes along."""
    cases = ("fallback.*", "destination.*", "subset.*", "envoy-override.*", "envoy.*")
    conformed("--fallback-endpoints 2 -- --insecure", "--plaintext", profiles=("core", "fallback"), cases=cases)


@pytest.mark.parametrize("accounting", ["SKIP", "HEADERS"])
def test_picker_that_looks_at_little_of_answers_conforms(accounting: str) -> None:
    """With answers left to the gateway as far as it takes them back, nothing is lost on the way."""
    flags, profiles = f"--accounting {accounting} -- --insecure", ("core", "buffered")
    conformed(flags, "--plaintext", profiles=profiles, cases=("response.*", "*envoy*"))


def test_picker_conforms_over_tls() -> None:
    """With the certificate that it makes itself it agrees on HTTP/2, refuses plain text, and serves as without."""
    cases = ("tls.*", "destination.*", "response.*", "envoy.*")
    conformed("", "--tls", profiles=("tls", "core"), cases=cases)
