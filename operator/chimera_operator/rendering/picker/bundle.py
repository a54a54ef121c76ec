"""Where the picker finds its predictors."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from chimera_operator.api.pool import HeterogeneousModelPool
from chimera_operator.rendering import fittings
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.fittings import NOTHING, Fittings
from chimera_operator.rendering.flags import Flag

FOLDER = "/var/lib/chimera/bundle"
_VOLUME = "bundle"
_PATH = "spec.routing.bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """Where the predictors are.

    Attributes:
        path: Folder with bundle.json; empty for the one inside the package.
        fittings: What the picker's container needs to see it.
        fetch: Arguments with which an archive is fetched beforehand; empty where there is none.
        fetch_fittings: What the container that fetches it needs.
    """

    path: str
    fittings: Fittings = NOTHING
    fetch: tuple[Flag, ...] = ()
    fetch_fittings: Fittings = NOTHING


def bundled(pool: HeterogeneousModelPool, facts: Facts) -> Bundled:
    """Return where the predictors are.

    Raises:
        PoolError: They are in an image that the cluster cannot mount.
    """
    bundle = pool.spec.routing.bundle
    inside = str(PurePosixPath(FOLDER, bundle.path.strip("/")))
    if bundle.pvc:
        volume = fittings.claim(_VOLUME, bundle.pvc.claim_name, read_only=True)
        return Bundled(path=inside, fittings=fittings.mounted(volume, FOLDER))
    if bundle.image:
        volume = fittings.image(_VOLUME, bundle.image, path=f"{_PATH}.image", facts=facts)
        return Bundled(path=inside, fittings=fittings.mounted(volume, FOLDER))
    if archive := bundle.archive:
        volume = {"name": _VOLUME, "emptyDir": {}}
        return Bundled(
            path=inside,
            fittings=fittings.mounted(volume, FOLDER),
            fetch=(("--url", archive.url), ("--sha256", archive.sha256), ("--into", FOLDER)),
            fetch_fittings=fittings.mounted(volume, FOLDER, writable=True),
        )
    return Bundled(path=bundle.path)
