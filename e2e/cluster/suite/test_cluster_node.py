"""The node is a real one: what tests of Chimera take for granted about Kubernetes holds here too."""

import time
import urllib.request
from collections.abc import Callable

import pytest
from client_pods import ask, client
from restricted_pods import container, deployment, http_probe, service

from chimera_cluster.cluster import Cluster
from chimera_cluster.errors import ClusterError
from chimera_cluster.network import Inside

pytestmark = pytest.mark.timeout(180)

FETCH = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).read().decode())"
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 9), timeout=3)"
WHO = """
import ssl, urllib.error, urllib.request as u
folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
asked = u.Request("https://kubernetes.default.svc/api/v1/pods")
asked.add_header("Authorization", "Bearer " + open(folder + "token").read())
try:
    u.urlopen(asked, context=ssl.create_default_context(cafile=folder + "ca.crt"), timeout=5)
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""


@pytest.fixture
def echo(cluster: Cluster, space: str, image: Callable[[str], str]) -> str:
    """Return a namespace in which servers and client are ready."""
    server = container(
        image("echo"), readinessProbe=http_probe("/ready", 8080), lifecycle={"preStop": {"sleep": {"seconds": 3}}}
    )
    cluster.apply(deployment("echo", 2, server), service("echo", 80, 8080), client(image("router")), space=space)
    cluster.await_rollout("deployment/echo", space=space)
    cluster.await_condition("pod/client", "condition=Ready", space=space)
    return space


def eventually(attempt: Callable[[], str]) -> str:
    """Return what an attempt gives: a service's rules are written up to a second after its pods are ready."""
    deadline = time.monotonic() + 15
    while True:
        try:
            return attempt()
        except (ClusterError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def test_services_are_reached_by_name_and_by_address(cluster: Cluster, echo: str) -> None:
    """Both pods of a service answer, to a pod that asks by name and to a test that asks the address."""
    url = f"http://echo.{echo}.svc.cluster.local/by-name"
    named = {eventually(lambda: ask(cluster, echo, FETCH, url)).split()[0] for _ in range(12)}

    with cluster.network.reach(echo, "echo", 80) as address:

        def fetch() -> str:
            with urllib.request.urlopen(f"http://{address}/by-address", timeout=5) as answer:
                return str(answer.read().decode())

        asked = eventually(fetch)

    assert len(named) == 2
    assert asked.split()[0] in named
    assert asked.split()[1] == "/by-address"


def test_what_containers_say_is_kept(cluster: Cluster, echo: str) -> None:
    """Logs come through the kubelet."""
    assert cluster.kubectl("logs", "client", f"--namespace={echo}") == "here\n"


def test_pods_have_tokens_that_the_server_knows(cluster: Cluster, echo: str) -> None:
    """A pod is refused as its own service account, not as a stranger."""
    said = ask(cluster, echo, WHO)

    assert said.startswith("403 ")
    assert f"system:serviceaccount:{echo}:default" in said


def test_pods_end_as_they_ask_to(cluster: Cluster, echo: str) -> None:
    """A pod that sleeps before it stops takes that long, and is replaced meanwhile."""
    name = cluster.get("pods", "--selector=app=echo", f"--namespace={echo}")["items"][0]["metadata"]["name"]
    started = time.monotonic()
    cluster.kubectl("delete", "pod", name, f"--namespace={echo}")

    assert 3 <= time.monotonic() - started < 20
    cluster.await_rollout("deployment/echo", space=echo)


def test_no_pod_reaches_another_machine(cluster: Cluster, echo: str) -> None:
    """There is no way out of the cluster of this machine, so no test depends on the internet or harms it."""
    if not isinstance(cluster.network, Inside):
        pytest.skip("this cluster may have one")

    with pytest.raises(ClusterError, match="Network is unreachable"):
        ask(cluster, echo, CONNECT, "192.0.2.1")


def test_pods_that_ask_for_too_much_are_refused(cluster: Cluster, space: str, image: Callable[[str], str]) -> None:
    """A test's namespace admits only what the restricted level of pod security does."""
    with pytest.raises(ClusterError, match="violates PodSecurity"):
        cluster.kubectl("run", "careless", f"--image={image('echo')}", f"--namespace={space}")


def test_pods_outlive_the_api_server(cluster: Cluster, echo: str) -> None:
    """An API server that is killed comes back by itself; meanwhile services answer as before."""
    if not isinstance(cluster.network, Inside):
        pytest.skip("its API server is not ours to kill")

    with cluster.network.reach(echo, "echo", 80) as address:
        cluster.network.restart("kube-apiserver")
        with urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
            assert answer.status == 200

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            cluster.kubectl("get", "--raw=/readyz")
        except ClusterError:
            time.sleep(0.2)
        else:
            break
    assert len(cluster.get("pods", f"--namespace={echo}")["items"]) == 3
