"""Images of nothing but a program that needs nothing: the cluster's own."""

from chimera_cluster.images import names
from chimera_cluster.images.store import Source
from chimera_cluster.programs.catalog import PROGRAMS

# Each named as the thing in the catalogue of programs, and that as the program.
IMAGES = ("pause", "coredns", "echo", "envoy-gateway")


def source(name: str) -> Source:
    """Return what an image is made from; its program has to be built."""
    dockerfile = f"""FROM scratch
COPY {name} /usr/local/bin/
ENV PATH=/usr/local/bin
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/{name}"]
"""
    return Source(name=names.own(name), dockerfile=dockerfile, files={name: PROGRAMS.folder(name) / name})
