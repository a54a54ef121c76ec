"""When new requests are welcome."""

import asyncio

import pytest

from chimera_router import readiness
from chimera_router.extproc.health import NOT_SERVING, SERVING, Health
from chimera_router.readiness import Readiness


def test_requests_are_welcome_once_all_is_known_and_until_a_stop() -> None:
    """Each reason against it has its word."""
    known: list[str] = []
    ready = Readiness(Health(), lambda: bool(known))
    words = [ready.why_not()]
    ready.serving = True
    words.append(ready.why_not())
    known.append("endpoints")
    words.append(ready.why_not())
    ready.stopping = True
    words.append(ready.why_not())

    assert words == ["starting", "endpoints", "", "stopping"]


@pytest.mark.anyio
async def test_probes_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    """What gRPC is told changes with it, both ways."""
    monkeypatch.setattr(readiness, "LOOK", 0.001)
    known, health, told = ["endpoints"], Health(), []  # type: ignore[var-annotated]
    health.watch("readiness", told.append)
    ready = Readiness(health, lambda: bool(known))
    running = asyncio.create_task(ready.run())
    for change in (lambda: setattr(ready, "serving", True), known.clear, lambda: known.append("again")):
        change()
        await asyncio.sleep(0.02)
    running.cancel()

    assert told == [NOT_SERVING, SERVING, NOT_SERVING, SERVING]
