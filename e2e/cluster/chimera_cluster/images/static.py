"""Images of nothing but programs that need nothing: the cluster's own."""

from collections.abc import Mapping
from pathlib import Path

from chimera_cluster.images.store import Source
from chimera_cluster.programs.catalog import PROGRAMS
from chimera_cluster.settings import PAUSE

COREDNS, ECHO, ENVOY_GATEWAY = (f"localhost/{name}:chimera" for name in ("coredns", "echo", "envoy-gateway"))

# By image, the thing in the catalogue of programs; the program has the thing's name.
IMAGES: Mapping[str, str] = {PAUSE: "pause", COREDNS: "coredns", ECHO: "echo", ENVOY_GATEWAY: "envoy-gateway"}


def source(image: str) -> Source:
    """Return what an image is made from; its program has to be built."""
    program = IMAGES[image]
    return static(image, PROGRAMS.folder(program) / program)


def static(image: str, program: Path) -> Source:
    """Return the source of an image of one program, on the PATH by its name."""
    dockerfile = f"""FROM scratch
COPY {program.name} /usr/local/bin/
ENV PATH=/usr/local/bin
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/{program.name}"]
"""
    return Source(name=image, dockerfile=dockerfile, files={program.name: program})
