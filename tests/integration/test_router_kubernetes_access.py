"""Callers known by Kubernetes: what is asked, what is remembered, and what becomes of them while nobody answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession
from directors import Clock
from engines import engine
from picker_processes import Picker, running, stopped
from reviewers import REVIEWS, FakeCluster, fake_cluster

from chimera_router.access import kubernetes
from chimera_router.access.kubernetes import AT_ONCE, KubernetesAuthority
from chimera_router.access.port import Verdict, Wanted
from chimera_router.errors import ConfigError

pytestmark = pytest.mark.anyio

METRICS, STATUS = Wanted("get", "/metrics"), Wanted("get", "/chimera/v1/status")


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeCluster]:
    async with fake_cluster(tmp_path) as cluster:
        yield cluster


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def authority(
    fake: FakeCluster, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[KubernetesAuthority]:
    monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig))
    async with kubernetes.opened(clock=clock) as found:
        yield found


async def test_rights_decide(fake: FakeCluster, authority: KubernetesAuthority) -> None:
    """An account may have what its roles say, and nothing else; a token of no account is nobody's."""
    token = await fake.account("prometheus", [("get", "/metrics")])

    assert await authority.judge(token, METRICS) is Verdict.ADMITTED
    assert await authority.judge(token, STATUS) is Verdict.FORBIDDEN
    assert await authority.judge(token, Wanted("post", "/metrics")) is Verdict.FORBIDDEN
    assert await authority.judge("nobodys", METRICS) is Verdict.UNAUTHENTICATED


async def test_picker_asks_its_cluster(fake: FakeCluster, tmp_path: Path) -> None:
    """The real process lets Prometheus see the metrics and nobody else anything; probes are everybody's."""
    token = await fake.account("scraper", [("get", "/metrics")])
    async with engine("small") as address:
        picker = Picker(tmp_path, address, "--insecure", "--management-auth=kubernetes")
        picker.environment["KUBECONFIG"] = str(fake.kubeconfig)
        async with running(picker) as process, ClientSession(picker.url) as http:

            async def get(path: str, bearer: str) -> int:
                async with http.get(path, headers={"authorization": f"Bearer {bearer}"}) as response:
                    return response.status

            calls = [("/metrics", token), ("/metrics", "nobodys"), ("/chimera/v1/status", token), ("/livez", "")]
            statuses = [await get(path, bearer) for path, bearer in calls]
            log = await stopped(process)

    assert statuses == [200, 401, 403, 200]
    assert token not in log


async def test_answer_is_remembered(fake: FakeCluster, authority: KubernetesAuthority, clock: Clock) -> None:
    """A caller that comes often costs one question a minute; a token that was revoked works on until then."""
    token = await fake.account("prometheus", [("get", "/metrics")])
    for _ in range(5):
        await authority.judge(token, METRICS)
    assert fake.asked == [REVIEWS]

    fake.revoke(token)
    clock.now += 59
    assert await authority.judge(token, METRICS) is Verdict.ADMITTED
    clock.now += 1
    assert await authority.judge(token, METRICS) is Verdict.UNAUTHENTICATED


async def test_right_that_was_given_is_there_soon(
    fake: FakeCluster, authority: KubernetesAuthority, clock: Clock
) -> None:
    """A refusal is remembered for ten seconds only."""
    token = await fake.account("app", [])
    assert await authority.judge(token, METRICS) is Verdict.FORBIDDEN

    await fake.account("app", [("get", "/metrics")])
    assert await authority.judge(token, METRICS) is Verdict.FORBIDDEN
    clock.now += 10
    assert await authority.judge(token, METRICS) is Verdict.ADMITTED


@pytest.mark.parametrize(("status", "verdict"), [(401, Verdict.UNAUTHENTICATED), (403, Verdict.FORBIDDEN)])
async def test_caller_that_the_cluster_turns_away_is_not_let_in(
    fake: FakeCluster, authority: KubernetesAuthority, status: int, verdict: Verdict
) -> None:
    """It is asked in the caller's own name: what it says to the caller is said to the picker."""
    token = await fake.account("canary", [("get", "/metrics")])
    fake.failing = status

    assert await authority.judge(token, METRICS) is verdict


@pytest.mark.parametrize("status", [429, 500])
async def test_cluster_that_refuses_lets_nobody_in(
    fake: FakeCluster,
    authority: KubernetesAuthority,
    clock: Clock,
    status: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nobody is let in while the cluster does not say who calls; why stands in the log, the token does not."""
    token = await fake.account("canary", [("get", "/metrics")])
    fake.failing = status

    assert await authority.judge(token, METRICS) is Verdict.UNAVAILABLE
    fake.failing = None
    clock.now += 1
    assert await authority.judge(token, METRICS) is Verdict.ADMITTED
    log = capsys.readouterr()
    assert str(status) in log.out + log.err
    assert "canary" not in log.out + log.err


async def test_cluster_that_is_away_lets_nobody_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody answers, nobody is let in."""
    async with fake_cluster(tmp_path) as gone:
        monkeypatch.setenv("KUBECONFIG", str(gone.kubeconfig))
    async with kubernetes.opened(clock=Clock()) as authority:
        assert await authority.judge("token", METRICS) is Verdict.UNAVAILABLE


async def test_silent_cluster_is_given_up(fake: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """An API server that does not answer in time lets nobody in."""
    monkeypatch.setenv("KUBECONFIG", str(fake.kubeconfig))
    async with kubernetes.opened(clock=Clock(), patience=0.1) as authority, held(fake):
        assert await authority.judge("token", METRICS) is Verdict.UNAVAILABLE


async def test_strange_answer_lets_nobody_in(fake: FakeCluster, authority: KubernetesAuthority) -> None:
    """An answer without a status admits nobody."""
    fake.garbled = True

    assert await authority.judge("token", METRICS) in {Verdict.UNAVAILABLE, Verdict.UNAUTHENTICATED}


async def test_callers_at_once_ask_once(fake: FakeCluster, authority: KubernetesAuthority) -> None:
    """Calls with one token wait for one answer rather than asking each."""
    token = await fake.account("prometheus", [("get", "/metrics")])

    async with held(fake):
        asked = [asyncio.create_task(authority.judge(token, METRICS)) for _ in range(50)]
        await started(fake, 1)

    assert set(await asyncio.gather(*asked)) == {Verdict.ADMITTED}
    assert fake.asked.count(REVIEWS) <= AT_ONCE


async def test_unknown_tokens_do_not_flood_the_cluster(fake: FakeCluster, authority: KubernetesAuthority) -> None:
    """However many call with tokens that nobody knows, few questions are under way at once."""
    async with held(fake):
        asked = [asyncio.create_task(authority.judge(f"guess-{number}", METRICS)) for number in range(50)]
        await started(fake, AT_ONCE)

    assert set(await asyncio.gather(*asked)) == {Verdict.UNAUTHENTICATED}
    assert fake.most == AT_ONCE


@asynccontextmanager
async def held(fake: FakeCluster) -> AsyncIterator[None]:
    """Let the cluster answer only at the end."""
    fake.answers.clear()
    yield
    fake.answers.set()


async def started(fake: FakeCluster, count: int) -> None:
    for _ in range(500):
        if fake.under_way >= count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("nobody asks")


async def test_without_a_cluster_the_mode_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Outside a pod and without KUBECONFIG, or with one that is none, there is nobody to ask."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConfigError, match="--management-auth kubernetes"):
        async with kubernetes.opened(clock=Clock()):
            pass

    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match="--management-auth kubernetes"):
        async with kubernetes.opened(clock=Clock()):
            pass
