import sys

import pytest
from redis.asyncio import Redis
from shared_servers import valkey

from chimera_bench import sharing_cost


def test_look_ups_and_pings_are_timed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each at each rate."""
    with valkey() as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        monkeypatch.setattr(sys, "argv", ["sharing_cost", "--url", url, "--rates", "100", "200", "--seconds", ".5"])
        sharing_cost.main()

    rows = [line.split("│") for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert [(row[1].strip(), row[2].strip()) for row in rows] == [
        ("look-up", "100"),
        ("look-up", "200"),
        ("PING", "100"),
        ("PING", "200"),
    ]
    assert all(float(row[3]) > 0 for row in rows)


@pytest.mark.anyio
async def test_what_is_timed_finds_its_workflow() -> None:
    """No later stage has become a workflow of its own; first ones ask nothing."""
    with valkey() as server:
        took = await sharing_cost.lookups(f"redis://127.0.0.1:{server.port}/0", 200.0, 2.0)
        async with Redis(port=server.port, protocol=2) as client:
            workflows = await client.keys("chimera:*:workflow:*")

    assert len(workflows) == sharing_cost.WORKFLOWS < len(took) < sharing_cost.WORKFLOWS * sharing_cost.STAGES
    assert sorted(took)[sharing_cost.WORKFLOWS] > 20e-6
