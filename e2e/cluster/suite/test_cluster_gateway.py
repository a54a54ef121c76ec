"""Envoy Gateway serves routes in the cluster; `make cluster GATEWAY=envoy-gateway` installs it."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from restricted_pods import container, deployment, http_probe, service

from chimera_cluster.cluster import Cluster
from chimera_cluster.errors import ClusterError

pytestmark = pytest.mark.timeout(240)

GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: entrance}
spec:
  gatewayClassName: envoy
  listeners: [{name: http, protocol: HTTP, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: echo}
spec:
  parentRefs: [{name: entrance}]
  hostnames: [echo.test]
  rules: [{backendRefs: [{name: echo, port: 80}]}]
"""


@pytest.fixture(scope="module", autouse=True)
def _installed(cluster: Cluster) -> None:
    try:
        cluster.get("gatewayclass", "envoy")
    except ClusterError:
        pytest.skip("no GatewayClass `envoy`: make cluster GATEWAY=envoy-gateway")


def ask(address: str, host: str) -> tuple[int, str]:
    """Return status and body of what is answered within 30 s; a route is programmed some time after it is accepted."""
    deadline = time.monotonic() + 30
    request = urllib.request.Request(f"http://{address}/asked", headers={"Host": host})
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - as above
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            if error.code == 404 or time.monotonic() > deadline:
                return error.code, ""
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.3)


def test_route_leads_to_its_service(cluster: Cluster, space: str, image: Callable[[str], str]) -> None:
    """A gateway sends requests for a route's host to the pods of its service, and refuses others."""
    server = container(image("echo"), readinessProbe=http_probe("/ready", 8080))
    cluster.apply(deployment("echo", 1, server), service("echo", 80, 8080), GATEWAY, space=space)
    cluster.await_rollout("deployment/echo", space=space)
    cluster.await_condition("gateway/entrance", "condition=Programmed", space=space, seconds=120)
    label = f"--selector=gateway.envoyproxy.io/owning-gateway-namespace={space}"
    (envoy,) = cluster.get("services", label, "--namespace=envoy-gateway-system")["items"]

    with cluster.network.reach("envoy-gateway-system", envoy["metadata"]["name"], 80) as address:
        status, body = ask(address, "echo.test")
        refused, _ = ask(address, "other.test")

    assert (status, refused) == (200, 404)
    assert body.startswith("echo-")
    assert body.endswith(" /asked\n")
