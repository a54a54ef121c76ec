"""The picker process learns the lengths of applications, each for itself, and keeps them."""

import json
from pathlib import Path
from typing import Any

import pytest
from engines import engine
from picker_processes import Picker, running, stopped

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

CHATTY, TERSE = "You write long reports.", "You answer with one word."
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("search", "cite")]
REQUESTS = 30


def body(system: str, task: str = "What is new?", **fields: Any) -> bytes:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": task}]
    return json.dumps({"model": "auto", "messages": messages, **fields}).encode()


async def tokens(picker: Picker, system: str, **headers: str) -> tuple[float, str]:
    """Return the tokens predicted for an application, and as what it is known."""
    decision = await picker.explain(body(system, tools=TOOLS), **headers)
    return decision["models"][0]["remaining_tokens"], decision["application"]


def metric(page: str, name: str) -> float:
    return float(next(line for line in page.splitlines() if line.startswith(name)).rpartition(" ")[2])


async def test_a_chatty_application_is_learned_and_another_is_not_touched(tmp_path: Path) -> None:
    """Its tokens rise, those of another application, of another tenant and of none stay; the next process knows it."""
    async with engine("small") as address:
        picker = Picker(tmp_path, address)
        async with running(picker) as process:
            before = await tokens(picker, CHATTY)
            others = [await tokens(picker, TERSE), await tokens(picker, CHATTY, x_chimera_tenant="acme")]
            for number in range(REQUESTS):
                await picker.ask(body(CHATTY, f"Report {number}", tools=TOOLS[::-1]), tokens=1500)
            learned = await tokens(picker, CHATTY)
            untouched = [await tokens(picker, TERSE), await tokens(picker, CHATTY, x_chimera_tenant="acme")]
            page = await picker.metrics()
            await stopped(process)
        async with running(picker):
            restarted = await tokens(picker, CHATTY)

    assert (before[1], learned[1]) == ("unknown", "learned")
    assert learned[0] > 2.0 * before[0]
    assert untouched == others
    assert restarted == learned
    assert metric(page, "chimera_applications_learned") == 1
    assert metric(page, "chimera_applications_forgotten_total") == 0
    assert metric(page, 'chimera_application_requests_total{known_as="unknown"}') == 1
    assert metric(page, 'chimera_application_requests_total{known_as="learned"}') == REQUESTS - 1
    assert CHATTY.encode() not in (tmp_path / "state" / "corrections.json").read_bytes()


async def test_an_application_of_the_bundle_is_known_by_its_name(tmp_path: Path) -> None:
    """From its first request, and it moves on from there."""
    named = {"x_chimera_application": "gsm8k"}
    async with engine("small") as address:
        picker = Picker(tmp_path, address)
        async with running(picker):
            before = await tokens(picker, TERSE, **named)
            for number in range(REQUESTS):
                await picker.ask(body(TERSE, f"Report {number}"), tokens=1500, **named)
            learned = await tokens(picker, TERSE, **named)
            page = await picker.metrics()

    assert (before[1], learned[1]) == ("bundle", "bundle")
    assert learned[0] > 2.0 * before[0]
    assert metric(page, 'chimera_application_requests_total{known_as="bundle"}') == REQUESTS
