"""Gateways serve routes in the cluster; `make cluster GATEWAY=envoy-gateway` installs one, `GATEWAY=istio` another."""

import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from restricted_pods import container, deployment, http_probe, service
from served_pools import ENTRANCE, GATEWAYS, entrance, gateway

from chimera_cluster.cluster import Cluster

pytestmark = pytest.mark.timeout(240)

ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: echo}
spec:
  parentRefs: [{name: entrance}]
  hostnames: [echo.test]
  rules: [{backendRefs: [{name: echo, port: 80}]}]
"""


@pytest.fixture(params=["gateway_class", "istio_class"])
def served(request: pytest.FixtureRequest) -> str:
    """Return the class of each kind of gateway that is installed."""
    found: str = request.getfixturevalue(request.param)
    return found


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


def test_route_leads_to_its_service(cluster: Cluster, space: str, served: str, image: Callable[[str], str]) -> None:
    """A gateway sends requests for a route's host to the pods of its service, and refuses others."""
    server = container(image("echo"), readinessProbe=http_probe("/ready", 8080))
    cluster.apply(deployment("echo", 1, server), service("echo", 80, 8080), gateway(served), ROUTE, space=space)
    cluster.await_rollout("deployment/echo", space=space)
    cluster.await_condition(f"gateway/{ENTRANCE}", "condition=Programmed", space=space, seconds=120)

    with entrance(cluster, space, served) as address:
        status, body = ask(address, "echo.test")
        refused, _ = ask(address, "other.test")

    assert (status, refused) == (200, 404)
    assert body.startswith("echo-")
    assert body.endswith(" /asked\n")


def test_envoy_that_is_replaced_ends(cluster: Cluster, space: str, gateway_class: str) -> None:
    """Nothing holds the pod of an Envoy longer than its connections, of which there are none."""
    cluster.apply(gateway(gateway_class), space=space)
    cluster.await_condition(f"gateway/{ENTRANCE}", "condition=Programmed", space=space, seconds=120)
    label = f"--selector=gateway.envoyproxy.io/owning-gateway-namespace={space}"
    (before,) = cluster.get("pods", label, f"--namespace={GATEWAYS}")["items"]
    cluster.kubectl("rollout", "restart", "deployment", label, f"--namespace={GATEWAYS}")

    cluster.await_condition(f"pod/{before['metadata']['name']}", "delete", space=GATEWAYS, seconds=90)

    assert len(cluster.get("pods", label, f"--namespace={GATEWAYS}")["items"]) == 1
