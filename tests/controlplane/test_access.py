"""Callers of the management pages known by a real API server, with exactly the roles that ship."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession
from clusters import Cluster
from control_planes import ControlPlane
from picker_processes import Picker, running, stopped

from chimera_router.access import kubernetes
from chimera_router.access.kubernetes import KubernetesAuthority
from chimera_router.access.port import Verdict, Wanted

pytestmark = pytest.mark.anyio

MANIFEST = Path(__file__).parents[2] / "manifests" / "rbac" / "picker-auth.yaml"
METRICS, STATUS = Wanted("get", "/metrics"), Wanted("get", "/chimera/v1/status")
EXPLAIN, FEEDBACK = Wanted("post", "/chimera/v1/explain"), Wanted("post", "/chimera/v1/feedback")


class Accounts:
    """Service accounts of one namespace, each with one of the roles that ship."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace

    async def token(self, role: str) -> str:
        """Return the token of an account that has the role and is named after it."""
        subject = {"kind": "ServiceAccount", "name": role, "namespace": self._namespace}
        binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding"}
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
        metadata = {"name": f"{self._namespace}-{role}"}
        account = {"metadata": {"name": role, "namespace": self._namespace}}
        await self._cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", **account})
        await self._cluster.apply({**binding, "metadata": metadata, "roleRef": reference, "subjects": [subject]})
        return await self._cluster.token(self._namespace, role)


@pytest.fixture
async def accounts(cluster: Cluster) -> Accounts:
    await cluster.apply(MANIFEST.read_text())
    return Accounts(cluster, await cluster.namespace())


@pytest.fixture
def kubeconfig(control_plane: ControlPlane) -> Path:
    """Return one with the administrator's certificate: what that may do must not be what callers may."""
    return control_plane.kubeconfig()


@pytest.fixture
async def authority(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubernetesAuthority]:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    async with kubernetes.opened(clock=time.monotonic) as found:
        yield found


@pytest.mark.parametrize(
    ("role", "admitted"),
    [
        ("chimera-metrics-reader", {METRICS}),
        ("chimera-feedback-writer", {FEEDBACK}),
        ("chimera-viewer", {STATUS, EXPLAIN}),
    ],
)
async def test_role_has_what_it_says(
    authority: KubernetesAuthority, accounts: Accounts, role: str, admitted: set[Wanted]
) -> None:
    """Who has a role may have its pages, and none of the others."""
    token = await accounts.token(role)

    verdicts = {wanted: await authority.judge(token, wanted) for wanted in (METRICS, STATUS, EXPLAIN, FEEDBACK)}

    assert {wanted for wanted, verdict in verdicts.items() if verdict is Verdict.ADMITTED} == admitted
    assert set(verdicts.values()) <= {Verdict.ADMITTED, Verdict.FORBIDDEN}


async def test_token_of_nobody_is_unauthenticated(authority: KubernetesAuthority, accounts: Accounts) -> None:
    """A token that the cluster did not sign is nobody's."""
    token = await accounts.token("chimera-metrics-reader")

    assert await authority.judge(f"{token}x", METRICS) is Verdict.UNAUTHENTICATED


async def test_account_without_a_role_is_forbidden(authority: KubernetesAuthority, cluster: Cluster) -> None:
    """The cluster knows it, and that is all."""
    token = await cluster.token(await cluster.namespace(), "default")

    assert await authority.judge(token, METRICS) is Verdict.FORBIDDEN


async def test_picker_needs_no_right_of_its_own(
    control_plane: ControlPlane, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even a token that is any good: callers are asked about in their own name."""
    useless = "nobodys"
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig("roleless", token=useless)))
    token = await accounts.token("chimera-metrics-reader")

    async with kubernetes.opened(clock=time.monotonic) as authority:
        assert await authority.judge(token, METRICS) is Verdict.ADMITTED


async def test_process_asks_the_cluster(accounts: Accounts, kubeconfig: Path, tmp_path: Path) -> None:
    """The real picker lets Prometheus' account see the metrics, and only these; no token is in its log."""
    token = await accounts.token("chimera-metrics-reader")
    picker = Picker(tmp_path, "127.0.0.1:1", "--insecure", "--management-auth=kubernetes", "--log-level=debug")
    picker.environment["KUBECONFIG"] = str(kubeconfig)
    async with running(picker) as process, ClientSession(picker.url) as http:

        async def get(path: str, bearer: str) -> int:
            async with http.get(path, headers={"authorization": f"Bearer {bearer}"}) as response:
                return response.status

        statuses = [await get(*call) for call in (("/metrics", token), (STATUS.path, token), ("/metrics", "x" * 20))]
        log = await stopped(process)

    assert statuses == [200, 403, 401]
    assert token not in log
