"""A real Kubernetes control plane for tests: etcd and kube-apiserver as plain processes, on loopback."""

import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import built_programs
import kwok_stages
import pytest
from envoys import free_port

from chimera_cluster.authority import Authority, write_key_pair
from chimera_cluster.kubeconfigs import certificate, kubeconfig
from chimera_cluster.programs.catalog import CONTROL_PLANE, PROGRAMS
from chimera_operator.local import launch

ADMIN, API_SERVER, CONTROLLER_MANAGER, SCHEDULER, KWOK = (
    "admin",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kwok",
)
_START = 45.0  # seconds that a program gets to be ready; 2 to 5 on a quiet machine


class ControlPlane:
    """Everything up to the API server; the other programs start when asked for.

    Attributes:
        port: Of the API server; it stays the same when that is started again.
        folder: Holds the certificates, the logs and etcd's data.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._etcd_url, self._peer_url = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._certify()

    def start(self) -> None:
        """Start etcd and the API server and wait until it is ready."""
        etcd, peer = self._etcd_url, self._peer_url
        flags = {
            "data-dir": self.folder / "etcd",
            "listen-client-urls": etcd,
            "advertise-client-urls": etcd,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "log-level": "warn",
        }
        self._run("etcd", "etcd", flags, "--unsafe-no-fsync")
        self.start_api_server()
        self.await_api_server()

    def start_api_server(self) -> None:
        """Start the API server, again on the same port and data; call it from the main thread, and wait elsewhere."""
        flags = {
            "etcd-servers": self._etcd_url,
            "bind-address": "127.0.0.1",
            "secure-port": self.port,
            "endpoint-reconciler-type": "none",  # it refuses to publish a loopback address
            "tls-cert-file": self.folder / "apiserver.crt",
            "tls-private-key-file": self.folder / "apiserver.key",
            "client-ca-file": self.folder / "ca.crt",
            "authorization-mode": "Node,RBAC",
            "service-cluster-ip-range": "10.96.0.0/16",
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": self.folder / "accounts.pub",
            "service-account-signing-key-file": self.folder / "accounts.key",
        }
        self._run(API_SERVER, "kube", flags)

    def await_api_server(self) -> None:
        """Wait until the API server is ready."""
        self._await_healthy(API_SERVER, f"https://127.0.0.1:{self.port}/readyz")

    @contextmanager
    def controller_manager(self, more: Mapping[str, object] = MappingProxyType({})) -> Iterator[None]:
        """Run the controllers, with more flags: garbage collection, namespaces, workloads, service accounts."""
        flags = {
            **more,
            "service-account-private-key-file": self.folder / "accounts.key",
            "root-ca-file": self.folder / "ca.crt",
            "use-service-account-credentials": "true",
            "flex-volume-plugin-dir": self.folder / "volumes",  # else it makes a folder under /usr
        }
        with self._controller(CONTROLLER_MANAGER, flags):
            yield

    @contextmanager
    def scheduler(self) -> Iterator[None]:
        """Run what assigns pods to nodes."""
        with self._controller(SCHEDULER, {}):
            yield

    @contextmanager
    def nodes(self) -> Iterator[None]:
        """Run kwok, which plays the kubelets of all nodes; `kwok_stages` says what becomes of pods."""
        port, stages = free_port(), self.folder / "stages.yaml"
        kwok_stages.write(stages)
        flags = {
            "kubeconfig": self.kubeconfig(),
            "config": stages,
            "cidr": "10.20.0.0/16",
            "node-lease-duration-seconds": 40,
            "server-address": f"127.0.0.1:{port}",
        }
        self._run(KWOK, KWOK, flags, "--manage-all-nodes")
        try:
            self._await_healthy(KWOK, f"http://127.0.0.1:{port}/healthz")
            yield
        finally:
            self._stop(KWOK)

    def stop_api_server(self) -> None:
        """Kill the API server and leave everything else."""
        self._stop(API_SERVER)

    @property
    def running(self) -> bool:
        """Whether the API server was started and not stopped."""
        return API_SERVER in self._processes

    def stop(self) -> None:
        """Stop every program, the API server before its etcd."""
        for name in reversed(tuple(self._processes)):
            self._stop(name)

    def compact(self) -> None:
        """Make etcd forget every revision but the newest."""
        revision = self._etcd("kv/range", {"key": "AA=="})["header"]["revision"]
        self._etcd("kv/compaction", {"revision": revision, "physical": True})

    def kubeconfig(self, user: str = ADMIN, *, token: str = "", port: int = 0) -> Path:
        """Return a kubeconfig of a user who has a certificate here, or of whoever has the token.

        Args:
            user: Its name.
            token: Of a service account.
            port: Of a relay to the API server; 0 for its own.
        """
        path = self.folder / f"{user}-{port}.kubeconfig"
        server = f"https://127.0.0.1:{port or self.port}"
        shown = {"token": token} if token else certificate(self.folder, user)
        path.write_text(kubeconfig(server, self.folder / "ca.crt", shown))
        return path

    def _certify(self) -> None:
        authority = Authority(self.folder)
        authority.sign("apiserver", API_SERVER, hosts=("127.0.0.1", "10.96.0.1", "localhost", "kubernetes"))
        authority.sign(ADMIN, ADMIN, organization="system:masters")
        for name in (CONTROLLER_MANAGER, SCHEDULER):
            authority.sign(name, f"system:{name}", hosts=("127.0.0.1",))
        write_key_pair(self.folder, "accounts")
        self._trust = ssl.create_default_context(cafile=str(authority.path))

    def _etcd(self, call: str, body: Mapping[str, Any]) -> Any:
        with urllib.request.urlopen(f"{self._etcd_url}/v3/{call}", json.dumps(body).encode(), timeout=10) as response:  # noqa: S310 - loopback
            return json.load(response)

    @contextmanager
    def _controller(self, name: str, flags: Mapping[str, object]) -> Iterator[None]:
        port = free_port()
        own = {
            "kubeconfig": self.kubeconfig(name),
            "leader-elect": "false",
            "bind-address": "127.0.0.1",
            "secure-port": port,
            "tls-cert-file": self.folder / f"{name}.crt",
            "tls-private-key-file": self.folder / f"{name}.key",
        }
        self._run(name, "kube", {**own, **flags})
        try:
            self._await_healthy(name, f"https://127.0.0.1:{port}/healthz")
            yield
        finally:
            self._stop(name)

    def _run(self, name: str, thing: str, flags: Mapping[str, object], *more: str) -> None:
        program = [str(PROGRAMS.folder(thing) / name), *(f"--{key}={value}" for key, value in flags.items()), *more]
        argv = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), *program]  # it dies with this process
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(argv, cwd=self.folder, stdout=log, stderr=log)

    def _await_healthy(self, name: str, page: str) -> None:
        deadline = time.monotonic() + _START
        while not self._answers(page):
            if self._processes[name].poll() is not None or time.monotonic() > deadline:
                log = (self.folder / f"{name}.log").read_text(errors="replace").splitlines()
                raise AssertionError("\n".join([f"{name} did not become ready:", *log[-20:]]))
            time.sleep(0.05)

    def _answers(self, page: str) -> bool:
        try:
            with urllib.request.urlopen(page, context=self._trust, timeout=5) as response:  # noqa: S310 - loopback
                return bool(response.status == 200)
        except OSError:
            return False

    def _stop(self, name: str) -> None:
        """Kill a program: asked to end, an API server waits a minute for its watches. What etcd has, it has."""
        process = self._processes.pop(name, None)
        if process is not None:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Etcd and a ready API server with RBAC and service accounts, for the whole run."""
    built_programs.require(CONTROL_PLANE, "controlplane")
    plane = ControlPlane(tmp_path_factory.mktemp("controlplane"))
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()
