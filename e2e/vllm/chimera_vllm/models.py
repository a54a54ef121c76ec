"""The two tiny models, made once for a user and for what makes them."""

import hashlib
from pathlib import Path

from chimera_cluster.cache import HOME, keep_newest, once
from chimera_cluster.commands import output
from chimera_cluster.errors import ClusterError
from chimera_vllm import environment
from chimera_vllm.errors import VllmError

MAKER = Path(__file__).with_name("tiny_models.py")


def place() -> Path:
    """Return the folder of the models, a cache of the Hugging Face hub, named by what makes them."""
    digest = hashlib.sha256(MAKER.read_bytes() + environment.LOCK.read_bytes()).hexdigest()[:12]
    return HOME / "vllm" / f"models-{digest}"


def prepared(installed: Path) -> Path:
    """Return the folder, made now unless it is there.

    Args:
        installed: The environment that has vLLM.

    Raises:
        VllmError: They cannot be made.
    """
    try:
        folder = once(place(), lambda part: _make(installed, part))
    except ClusterError as error:
        raise VllmError(f"the tiny models cannot be made: {error}") from None
    folder.touch()
    keep_newest(folder.parent, "models", count=1)
    return folder


def _make(installed: Path, folder: Path) -> None:
    # Else the source folder would offer its other files to the program as modules.
    output([str(environment.python(installed)), "-P", str(MAKER), str(folder)])
