"""Two picker processes of one pool, with a Valkey server between them."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession
from engines import engine
from picker_processes import Picker, Served, running, stopped, until
from shared_servers import line, valkey

from chimera_router.sharing.settings import PASSWORD, SECRET

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

TOLD = "what the model said at stage {}, long enough to tell"
KEYS = {SECRET: "0123456789abcdef"}
ROUND_ROBIN = {"routing": {"roundRobin": {}}}  # a workflow's model depends on how many came before it, here
PATIENT = 5.0  # seconds; a look-up is in time however busy the machine
UP = "chimera_shared_workflows_up"


def body(task: str, stage: int) -> bytes:
    messages = [{"role": "user", "content": task}]
    for number in range(stage):
        messages += [{"role": "assistant", "content": TOLD.format(number)}, {"role": "user", "content": "go on"}]
    return json.dumps({"model": "auto", "messages": messages}).encode()


async def ask(picker: Picker, task: str, stage: int, **headers: str) -> Served:
    return await picker.ask(body(task, stage), tokens=40, reply=TOLD.format(stage), **headers)


@asynccontextmanager
async def pair(folder: Path, port: int | None, *, deadline: float = PATIENT) -> AsyncIterator[tuple[Picker, Picker]]:
    """Run two pickers over the same two engines, sharing through a port of this machine or through none."""
    sharing = () if port is None else (f"--shared-workflows=redis://127.0.0.1:{port}/0",)
    options = ("--insecure", *sharing, f"--shared-workflows-deadline={deadline}")
    async with AsyncExitStack() as stack:
        engines = {name: await stack.enter_async_context(engine(name)) for name in ("small", "large")}
        pickers = []
        for name in ("one", "other"):
            picker = Picker(folder / name, engines, *options, **ROUND_ROBIN)
            picker.environment = KEYS
            await stack.enter_async_context(running(picker))
            pickers.append(picker)
        if port is not None:
            await all_are(pickers, up=1)
        yield pickers[0], pickers[1]


async def all_are(pickers: Sequence[Picker], *, up: int) -> None:
    async def they_are() -> bool:
        return all([await picker.metric(UP) == up for picker in pickers])

    await until(they_are)


async def told(picker: Picker) -> None:
    """Return once the others can know all that this one does."""

    async def it_has() -> bool:
        return await picker.metric("chimera_shared_workflows_untold") == 0

    await until(it_has)


async def report(picker: Picker, workflow: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{picker.management}/chimera/v1/feedback"
    async with ClientSession() as http, http.post(url, json={"workflow_id": workflow, "success": 1}) as response:
        answer = await response.json()
        return response.status, answer.get("model", "") or answer["error"]["code"]


async def journey(one: Picker, other: Picker) -> list[Served]:
    """Send a workflow that picks the second model through both pickers in turn."""
    await ask(one, "another task", 0)
    served = []
    for stage, picker in enumerate((one, other, one, other)):
        served.append(await ask(picker, "the task", stage))
        await told(picker)
    return served


async def test_a_workflow_keeps_its_place_from_picker_to_picker(tmp_path: Path) -> None:
    """Model, endpoint and id stay, by its messages alone; feedback counts at either picker, once."""
    with valkey() as server:
        async with pair(tmp_path, server.port) as (one, other):
            served = await journey(one, other)
            first = await report(other, served[0].workflow)
            await told(other)
            second = await report(one, served[0].workflow)
            kept = [await picker.metric("chimera_workflow_stages_kept_total") for picker in (one, other)]

    assert {each.model for each in served} == {"large"}
    assert len({(each.destination, each.workflow) for each in served}) == 1
    assert kept == [1, 2]
    assert (first, second) == ((200, "large"), (409, "already_judged"))


async def test_pickers_that_do_not_share_lose_it(tmp_path: Path) -> None:
    """What the test above proves: alone, the other picker takes the same stages for a new workflow."""
    async with pair(tmp_path, None) as (one, other):
        served = await journey(one, other)

    assert [each.model for each in served] == ["large", "small", "large", "small"]
    assert len({each.workflow for each in served}) == 2


async def test_a_stated_workflow_is_one_at_every_picker(tmp_path: Path) -> None:
    """By its header, though no two of its requests have anything in common."""
    with valkey() as server:
        async with pair(tmp_path, server.port) as (one, other):
            await ask(one, "another task", 0)
            first = await ask(one, "first", 0, x_session_id="s-1")
            await told(one)
            second = await ask(other, "second", 0, x_session_id="s-1")

    assert (second.model, second.destination, second.workflow) == ("large", first.destination, "s-1")


async def test_a_server_that_dies_fails_nothing_and_is_used_again(tmp_path: Path) -> None:
    """Requests go on at once, the absence is told by metric and one log line, and its return is noticed."""
    with valkey() as server:
        port = server.port
        async with AsyncExitStack() as stack:
            one, other = await stack.enter_async_context(pair(tmp_path, port))
            server.terminate()
            served = [await ask(picker, f"task {n}", 1) for n in range(10) for picker in (one, other)]
            await all_are((one, other), up=0)
            waited = [await picker.metric("chimera_shared_lookup_seconds_sum") for picker in (one, other)]

            stack.enter_context(valkey(port))
            await all_are((one, other), up=1)
            resumed = await journey(one, other)

    assert len(served) == 20
    assert max(waited) < PATIENT / 2
    assert len({each.workflow for each in resumed}) == 1


async def test_a_slow_server_delays_no_decision(tmp_path: Path) -> None:
    """Behind a line of a second: three look-ups wait for their deadline, then none until a trial is in time."""
    with valkey() as server:
        async with line(server.port) as slow, pair(tmp_path, slow.port, deadline=0.05) as (one, _):
            slow.delay = 1.0
            for number in range(20):
                await ask(one, f"task {number}", 1)
            late = await one.metric('chimera_shared_lookups_total{outcome="late"}')
            away = await one.metric('chimera_shared_lookups_total{outcome="away"}')
            waited = await one.metric("chimera_shared_lookup_seconds_sum")

    assert late <= 3
    assert late + away == 20
    assert waited < 1.0


async def test_what_a_process_says_of_its_server_has_no_secret(tmp_path: Path) -> None:
    """One line says that it is away and by what kind of failure; neither password nor secret nor address is in it."""
    environment = {**KEYS, PASSWORD: "canary-password", SECRET: "canary-secret-0123"}
    async with engine("small") as address:
        picker = Picker(tmp_path, address, "--insecure", "--shared-workflows=redis://canary-user@127.0.0.1:1/0")
        picker.environment = environment
        async with running(picker) as process:
            for _ in range(5):
                await picker.ask()
            page = await picker.metrics()
            said = await stopped(process)

    lines = [json.loads(line) for line in said.splitlines()]
    assert [line["rule"] for line in lines if line["event"].startswith("workflows are not shared")] == [
        "ConnectionError"
    ]
    assert "canary" not in said + page
