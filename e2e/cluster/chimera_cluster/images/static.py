"""Images of nothing but a program that needs nothing: the cluster's own."""

from collections.abc import Mapping

from chimera_cluster.images import names
from chimera_cluster.images.store import Source
from chimera_cluster.programs.catalog import PROGRAMS

# Each named as its program, with the thing in the catalogue of programs that has it.
IMAGES: Mapping[str, str] = {
    "pause": "pause",
    "coredns": "coredns",
    "echo": "echo",
    "envoy-gateway": "envoy-gateway",
    "pilot-discovery": "istio",
    "echo-basic": "gie-conformance",
}


def source(name: str) -> Source:
    """Return what an image is made from; its program has to be built.

    It has a /tmp that its user can write to: Envoy Gateway says there that an Envoy may end.
    """
    dockerfile = f"""FROM scratch
COPY {name} /usr/local/bin/
ENV PATH=/usr/local/bin
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["/usr/local/bin/{name}"]
"""
    return Source(name=names.own(name), dockerfile=dockerfile, files={name: PROGRAMS.folder(IMAGES[name]) / name})
