"""The same rules seen from outside: HTTP through the real Envoy, to engines of the kit's own."""

from typing import TYPE_CHECKING

from chimera_conformance.case import Case, collect
from chimera_conformance.through import envoy, envoy_buffered, envoy_failures, envoy_override

if TYPE_CHECKING:
    from chimera_conformance.gateway.client import Gateway

GATEWAY_CASES: "tuple[Case[Gateway], ...]" = collect([envoy, envoy_override, envoy_buffered, envoy_failures])
