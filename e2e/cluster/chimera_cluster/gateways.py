"""The gateways that the cluster of this machine can have."""

from chimera_cluster.gateway import MANIFESTS, Chart, Gateway
from chimera_cluster.images import envoy, istio_proxy, names

ENVOY_GATEWAY = Gateway(
    name="envoy-gateway",
    title="Envoy Gateway",
    images=("envoy-gateway", envoy.NAME),
    space="envoy-gateway-system",
    charts=(
        Chart(
            folder="chart",
            release="envoy-gateway",
            flags=(
                # It has definitions of Gateway API too, which would contend with those of other gateways.
                "--set=crds.enabled=false",
                # Spreads a gateway's endpoints over zones by a webhook; there is one node.
                "--set=topologyInjector.enabled=false",
            ),
            blanks={"GatewayImage": names.own("envoy-gateway"), "GatewayImagePullPolicy": "IfNotPresent"},
        ),
    ),
    gateway_class="envoy",
    manifest=MANIFESTS / "envoy-gateway.yaml",
    definitions="chart/charts/crds/crds/generated",
)

ISTIO = Gateway(
    name="istio",
    title="Istio",
    images=("pilot-discovery", istio_proxy.NAME),
    space="istio-system",
    charts=(
        Chart(folder="base", release="istio-base"),
        Chart(folder="istiod", release="istiod", flags=(f"--values={MANIFESTS / 'istio.values.yaml'}",)),
    ),
    gateway_class="istio",
)
