"""A picker in a pod asks with the token that Kubernetes put there, and goes on when it is replaced."""

import os
import shutil
from pathlib import Path

import pytest
from clusters import Cluster
from control_planes import ControlPlane

from chimera_cluster.authority import Authority
from chimera_router.datalayer.api_server import ApiServer
from chimera_router.errors import ApiFailure, ApiServerError

pytestmark = pytest.mark.anyio

MAY_LIST = """
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: list, namespace: {namespace}}}
rules: [{{apiGroups: [""], resources: [pods], verbs: [list]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: list, namespace: {namespace}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: list}}
subjects: [{{kind: ServiceAccount, name: default, namespace: {namespace}}}]
"""


@pytest.fixture
def folder(control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder as Kubernetes mounts it into a pod, without a token; the environment says where the server is."""
    shutil.copy(control_plane.folder / "ca.crt", tmp_path / "ca.crt")
    monkeypatch.setitem(os.environ, "KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setitem(os.environ, "KUBERNETES_SERVICE_PORT", str(control_plane.port))
    return tmp_path


async def test_token_is_read_again(cluster: Cluster, folder: Path) -> None:
    """A token that is replaced is used from the next call on; one that is nobody's is refused, and then replaced."""
    namespace = await cluster.namespace()
    await cluster.apply(MAY_LIST.format(namespace=namespace))
    api = ApiServer(None, service_account=folder)
    path = f"/api/v1/namespaces/{namespace}/pods"

    async def asked() -> ApiFailure | None:
        try:
            await api.list(path, {})
        except ApiServerError as error:
            return error.failure
        return None

    answers = [await asked()]
    for token in (await cluster.token(namespace, "default"), "nobody's", await cluster.token(namespace, "default")):
        (folder / "token").write_text(token)
        answers.append(await asked())

    assert answers == [ApiFailure.UNAUTHORIZED, None, ApiFailure.UNAUTHORIZED, None]


async def test_server_of_another_authority_is_not_asked(
    cluster: Cluster, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A server whose certificate no known authority has signed gets no token."""
    namespace = await cluster.namespace()
    (folder / "token").write_text(await cluster.token(namespace, "default"))
    shutil.copy(Authority(tmp_path_factory.mktemp("other")).path, folder / "ca.crt")

    with pytest.raises(ApiServerError) as refused:
        await ApiServer(None, service_account=folder).list(f"/api/v1/namespaces/{namespace}/pods", {})

    assert refused.value.failure is ApiFailure.UNREACHABLE
