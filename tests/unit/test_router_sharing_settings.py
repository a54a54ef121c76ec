from pathlib import Path

import pytest

from chimera_router.errors import ConfigError
from chimera_router.sharing.settings import PASSWORD, SECRET, SHORTEST_SECRET, read

URL = "redis://valkey.default.svc:6379/2"
KNOWN = {SECRET: "s" * SHORTEST_SECRET}


@pytest.mark.parametrize(
    "url", [URL, "rediss://user@valkey:6380", "redis://[::1]:6379/", "redis://valkey", "rediss://10.0.0.1:6379/0"]
)
def test_an_address_may_have_user_port_and_database(url: str) -> None:
    """With TLS or without."""
    settings = read(url, KNOWN, deadline=0.002)

    assert (settings.url, settings.password, settings.secret) == (url, None, KNOWN[SECRET].encode())
    assert settings.deadline == 0.002


@pytest.mark.parametrize(
    "url",
    [
        "canary",
        "http://canary:6379",
        "unix:///canary",
        "redis://",
        "redis:///0",
        "redis://canary:port",
        "redis://canary:99999",
        "redis://canary:0",
        "redis://canary/one",
        "redis://canary/0/1",
        "redis://canary?password=x",
        "redis://canary#x",
        "redis://[canary",
    ],
)
def test_another_address_is_refused(url: str) -> None:
    """By the rule, without repeating it."""
    with pytest.raises(ConfigError, match="--shared-workflows: must be redis://host:port/database") as refused:
        read(url, KNOWN, deadline=0.002)

    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("url", ["redis://:canary@valkey", "redis://user:canary@valkey:6379/0", "redis://user:@valkey"])
def test_a_password_on_the_command_line_is_refused(url: str) -> None:
    """All processes of a machine can read it there; the refusal says where it belongs."""
    with pytest.raises(ConfigError, match=f"but in {PASSWORD}$") as refused:
        read(url, KNOWN, deadline=0.002)

    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("environment", [{}, {SECRET: ""}, {SECRET: "canary"}])
def test_a_secret_is_needed(environment: dict[str, str]) -> None:
    """Without one, or with one that could be guessed, nothing is shared."""
    with pytest.raises(ConfigError, match=f"{SECRET}: --shared-workflows needs one, of 16 characters") as refused:
        read(URL, environment, deadline=0.002)

    assert "canary" not in str(refused.value)


def test_what_is_secret_may_be_in_files(tmp_path: Path) -> None:
    """As Kubernetes mounts it; a line's end is not part of it, and the file goes before the variable."""
    (tmp_path / "secret").write_text("f" * 32 + "\n")
    (tmp_path / "password").write_text("right\n")
    files = {f"{SECRET}_FILE": str(tmp_path / "secret"), f"{PASSWORD}_FILE": str(tmp_path / "password")}

    settings = read(URL, {**KNOWN, PASSWORD: "wrong", **files}, deadline=0.002)

    assert (settings.secret, settings.password) == (b"f" * 32, "right")


@pytest.mark.parametrize("name", [SECRET, PASSWORD])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    """By its variable and the kind of failure."""
    with pytest.raises(ConfigError, match=f"^{name}_FILE: cannot be read \\(FileNotFoundError\\)$"):
        read(URL, {**KNOWN, f"{name}_FILE": str(tmp_path / "canary")}, deadline=0.002)
