"""The go command."""

import os
import subprocess
from pathlib import Path

from chimera_cluster.errors import ClusterError

# Static, without the paths and the revision of this checkout, by the Go that is here.
ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-trimpath -buildvcs=false", "GOTOOLCHAIN": "local"}


def go(module: Path, *arguments: str) -> str:
    """Return what the go command prints in a module; its complaints go where ours do.

    Raises:
        ClusterError: There is no Go, or it failed.
    """
    environment = {**os.environ, **ENVIRONMENT}
    try:
        done = subprocess.run(
            ["go", *arguments], cwd=module, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
    except FileNotFoundError:
        raise ClusterError("go is needed on the PATH, 1.26.8 or newer") from None
    except subprocess.CalledProcessError as error:
        raise ClusterError(f"go {arguments[0]} failed in {module.name}") from error
    return done.stdout
