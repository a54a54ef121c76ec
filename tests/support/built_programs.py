"""What tests need that `make` builds from Go modules."""

from collections.abc import Sequence

from missing import absent

from chimera_cluster.programs.catalog import PROGRAMS


def require(names: Sequence[str], target: str) -> None:
    """Skip the test where something was not built; in CI, where all of it is, fail it.

    Args:
        names: Of the things, as in the catalogue.
        target: Of the Makefile, which builds them.
    """
    missing = PROGRAMS.missing(names)
    if missing:
        said = f"not built: {', '.join(missing)}; `make {target}` builds them where go is installed"
        absent(said)
