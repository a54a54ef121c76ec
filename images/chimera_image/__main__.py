"""The command in the Dockerfiles: fill /app with what a lock names and with Chimera's own wheel."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from chimera_image.bill import Component, bill, debian_components, python_component
from chimera_image.compiling import compile_imported
from chimera_image.installing import install, prune
from chimera_image.lock import without

APP = Path("/app")
BUILD = Path("/build")
STATUS = Path("/var/lib/dpkg/status")

# Arguments of the Dockerfile: nothing expands them in a command that no shell runs.
VERSION = os.environ.get("VERSION", "")
PYTHON = os.environ.get("PYTHON", "")


def parse_arguments() -> argparse.Namespace:
    """Return the command line's values."""
    parser = argparse.ArgumentParser(prog="python3 -m chimera_image", description=__doc__)
    parser.add_argument("--name", required=True, help="what the image is called in its bill of materials")
    parser.add_argument("--import", dest="modules", action="append", required=True, help="compile what this imports")
    parser.add_argument("--without", action="append", default=[], help="project of the lock that is left out")
    parser.add_argument("--prune", action="append", default=[], help="glob of installed files that are left out")
    return parser.parse_args()


def main() -> None:
    """Fill the folder."""
    options = parse_arguments()
    if not platform.python_version().startswith(f"{PYTHON}."):
        sys.exit(f"the base has Python {platform.python_version()}, the wheels are for {PYTHON}: choose another BASE")
    lock = BUILD / "left.lock"
    lock.write_text(without((BUILD / "requirements.lock").read_text(), options.without))
    wheels = BUILD / "wheels"
    (own,) = wheels.glob("chimera-*.whl")
    install(wheels, APP, "--require-hashes", f"--requirement={lock}")
    install(wheels, APP, str(own))
    prune(APP, options.prune)
    compile_imported(APP, options.modules)
    (APP / "sbom.cdx.json").write_text(json.dumps(bill(options.name, VERSION, _components()), indent=1))


def _components() -> Iterator[Component]:
    yield from (python_component(each) for each in metadata.distributions(path=[str(APP)]))
    if STATUS.exists():
        release = platform.freedesktop_os_release()
        yield from debian_components(STATUS.read_text(), f"{release['ID']}-{release.get('VERSION_ID', '')}")


if __name__ == "__main__":
    main()
