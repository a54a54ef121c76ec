"""The picker's command line."""

from pathlib import Path

import pytest

from chimera_router import arguments
from chimera_router.access.modes import Mode
from chimera_router.arguments import ConfigMapName

CONFIG = ("--config", "router.json")


def test_defaults_are_the_safe_ones() -> None:
    """Told nothing, the picker serves TLS, follows certificates, and asks callers of every management page."""
    told = arguments.parse(CONFIG)

    assert (told.insecure, told.cert_path, told.cert_reload, told.client_ca) == (False, None, True, None)
    assert (told.management_auth, told.metrics_endpoint_auth, told.management_tls) == (None, True, False)


def test_switches_are_told_by_their_names() -> None:
    """Each of them can be turned."""
    told = arguments.parse(
        [
            *CONFIG,
            *("--cert-path", "/tls", "--no-cert-reload", "--client-ca", "/ca.crt", "--management-tls"),
            *("--management-auth", "token-file", "--management-token-file", "/tokens", "--no-metrics-endpoint-auth"),
        ]
    )

    assert (told.cert_path, told.cert_reload, told.client_ca) == (Path("/tls"), False, Path("/ca.crt"))
    assert (told.management_auth, told.management_token_file) == (Mode.TOKEN_FILE, Path("/tokens"))
    assert (told.metrics_endpoint_auth, told.management_tls) == (False, True)


@pytest.mark.parametrize("other", [("--cert-path", "/tls"), ("--client-ca", "/ca.crt"), ("--management-tls",)])
def test_plain_text_goes_with_no_certificate(other: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Plain text and something about TLS contradict each other: exit code 2 and a line that says so."""
    with pytest.raises(SystemExit, match="2"):
        arguments.parse([*CONFIG, "--insecure", *other])

    assert "--insecure goes with none of" in capsys.readouterr().err


def test_configuration_is_a_file_or_a_config_map() -> None:
    """Both say where the RouterConfig is."""
    file = arguments.parse(["--config", "/etc/router.json"])
    config_map = arguments.parse(["--config-map", "models/assistants-router", "--kubeconfig", "/k"])

    assert (file.config, file.kubeconfig) == (Path("/etc/router.json"), None)
    assert (config_map.config, config_map.kubeconfig) == (ConfigMapName("models", "assistants-router"), Path("/k"))


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        pytest.param([], "one of the arguments --config --config-map is required", id="neither"),
        pytest.param(["--config", "f", "--config-map", "n/c"], "not allowed with", id="both"),
        *[
            pytest.param(["--config-map", text], "must be NAMESPACE/NAME", id=text)
            for text in ("c", "/c", "n/", "n/c/d")
        ],
    ],
)
def test_configuration_is_one_place(told: list[str], rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Anything else ends the start with a line of usage."""
    with pytest.raises(SystemExit, match="2"):
        arguments.parse(told)

    assert rule in capsys.readouterr().err
