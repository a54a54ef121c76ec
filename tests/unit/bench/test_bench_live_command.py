"""What `chimera bench --live` refuses before anything is started."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from chimera_cli.app import app

SMALL = ("--pool", "mixed-agents-open", "--workflows", "4", "--warm-up", "0")


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (("--live", "--policy", "oracle"), "policy 'oracle' cannot be played live: it foresees other than by a bundle"),
        (("--live", "--policy", "router"), "policy 'router' cannot be played live"),
        (("--live", "--plot", "plot.png"), "leave out --live"),
        (("--speed", "2"), "add --live"),
    ],
    ids=["truth", "averages", "plot", "speed"],
)
def test_it_is_one_line(options: tuple[str, ...], rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the status of wrong usage, and nothing on standard output."""
    monkeypatch.chdir(tmp_path)

    ended = CliRunner().invoke(app, ["bench", *SMALL, *options])

    assert (ended.exit_code, ended.stdout) == (2, "")
    (line,) = ended.stderr.strip().splitlines()
    assert rule in line
