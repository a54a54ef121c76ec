"""Where the predictors are."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from chimera_operator.api.core import ClaimVolume, ImageVolume
from chimera_operator.api.document import Breach, Document, given, rule
from chimera_operator.api.scalars import FILE_URL, SHA256, FolderPath

Digest = Annotated[str, Field(pattern=SHA256, max_length=64)]


class Archive(Document):
    """A .tar.gz that pickers fetch when they start."""

    url: Annotated[str, Field(pattern=FILE_URL, max_length=2048)]
    """Where it is."""
    sha256: Digest
    """Its sha256; what has another one is not unpacked."""


class Bundle(Document):
    """Where the predictors are. In a cluster at most one of pvc, image and archive, else inside the picker's image."""

    path: FolderPath = ""
    """Folder with bundle.json: inside the volume, image or archive where one is given, else on the picker's machine.
    Empty: the root there, or else the bundle inside the package."""
    sha256: Digest | None = None
    """Expected sha256 of bundle.json, which holds those of all other files. Unset: any."""
    pvc: ClaimVolume | None = None
    """A PersistentVolumeClaim that holds it."""
    image: ImageVolume | None = None
    """An OCI image that holds it, mounted as a volume."""
    archive: Archive | None = None
    """An archive that holds it."""

    @rule("pvc, image and archive exclude one another", cel=f"{given('pvc', 'image', 'archive')} <= 1")
    def _in_one_place(self) -> Iterator[Breach]:
        if sum(place is not None for place in (self.pvc, self.image, self.archive)) > 1:
            yield Breach()
