"""How requests from outside reach the pool, who else may reach its pods, and who watches them."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from chimera_operator.api.core import Selector
from chimera_operator.api.document import Breach, Document, rule
from chimera_operator.api.scalars import HOSTNAME, PATH_PREFIX, Labels, NonEmpty


class ParentRef(Document):
    """A Gateway that carries the pool's route."""

    name: NonEmpty
    """Name of the Gateway."""
    namespace: NonEmpty | None = None
    """Its namespace. Unset: the pool's."""
    section_name: NonEmpty | None = None
    """Its listener. Unset: all that let the route in."""


class Gateway(Document):
    """The gateway in front of the pool. Without it there is no route."""

    integration: Literal["Auto", "InferencePool", "EnvoyGateway", "None"] = "Auto"
    """How the gateway finds the picker. InferencePool: a route to the pool's InferencePool. EnvoyGateway: a route to a
    Service, with Envoy Gateway's own policies. Auto: by what the parents' controller and the cluster have. None: no
    object of any gateway is made, whoever runs one names the picker to it."""
    parent_refs: Annotated[tuple[ParentRef, ...], Field(min_length=1, max_length=16)] | None = None
    """Gateways that carry the route. Required unless integration is None."""
    hostnames: Annotated[tuple[Annotated[str, Field(pattern=HOSTNAME, max_length=253)], ...], Field(max_length=16)] = ()
    """Host names the route answers to. Empty: any."""
    path_prefix: Annotated[str, Field(pattern=PATH_PREFIX, max_length=253)] = "/"
    """Beginning of the paths that belong to the pool; it is taken off before the picker sees them."""

    @rule(
        "is required unless integration is None",
        cel="self.integration == 'None' || has(self.parentRefs)",
        at="parentRefs",
    )
    def _parents_are_there(self) -> Iterator[Breach]:
        if self.integration != "None" and self.parent_refs is None:
            yield Breach()


class Peer(Document):
    """Pods, by their labels and those of their namespace."""

    namespace_selector: Selector | None = None
    """Namespaces of the pods. Unset: the pool's own."""
    pod_selector: Selector | None = None
    """The pods there. Unset: all."""


Peers = Annotated[tuple[Peer, ...], Field(max_length=16)]


class NetworkPolicy(Document):
    """Who may reach the pool's pods. Engines are no security boundary of their own: whoever reaches one may ask it."""

    mode: Literal["Enabled", "Disabled"] = "Enabled"
    """Enabled: engines hear gateways, picker and monitoring only, the picker those and applications. Disabled: no
    NetworkPolicy is made."""
    gateways: Peers = ()
    """Data planes of the gateways. Empty: pods of any namespace that carry a Gateway's label
    (`gateway.networking.k8s.io/gateway-name`, or Envoy Gateway's `gateway.envoyproxy.io/owning-gateway-name`)."""
    monitoring: Peers = ()
    """Who scrapes metrics. Empty: pods of any namespace labelled `app.kubernetes.io/name: prometheus`."""
    applications: Peers = ()
    """Who may call the picker's management pages and give feedback. Empty: nobody but monitoring."""


class Monitoring(Document):
    """How Prometheus finds the pool's pods."""

    pod_monitor: Literal["Auto", "Disabled"] = "Auto"
    """Auto: a PodMonitor where the cluster has that kind. Disabled: none."""
    interval_seconds: Annotated[int, Field(ge=1, le=3600)] = 15
    """Seconds between two scrapes. 15: dashboards over minutes see every change of load."""
    labels: Labels = Field(default_factory=dict)
    """Labels of the PodMonitor, by which a Prometheus selects it, such as `release: prometheus`."""
