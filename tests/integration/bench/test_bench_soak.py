"""A soak in short, on real processes."""

import json
from pathlib import Path

import pytest

from chimera_bench.soak import __main__ as command
from chimera_bench.soak.traffic import KINDS


def test_a_short_soak_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All kinds of requests go as they have to while files change, and no stream nor token stays."""
    figures = tmp_path / "soak.json"

    with pytest.raises(SystemExit):  # how much memory grows in so few requests says nothing
        command.main(["--requests", "1000", "--fill", "100", "--json", str(figures)])

    found = json.loads(figures.read_text())
    assert set(found["sent"]) == set(KINDS)
    assert found["failed"] == {}
    assert (found["streams"], round(found["tokens"], 6)) == (0, 0)
    assert found["reloads"]["applied"] >= 1
    assert "every request goes as it has to" in capsys.readouterr().out
