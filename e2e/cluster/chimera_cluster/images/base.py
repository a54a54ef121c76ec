"""The image that Python images stand on: a root of Debian packages, without a shell, or whatever BASE names."""

import hashlib
import platform
import sys
from pathlib import Path

from chimera_cluster import cache, tools
from chimera_cluster.commands import output
from chimera_cluster.errors import ClusterError
from chimera_cluster.images import names
from chimera_cluster.images.store import Source

PYTHON = names.own("python")

_DOCKERFILES = Path(__file__).resolve().parents[4] / "images"
_PACKAGES = ("base-files", "base-passwd", "ca-certificates", "libstdc++6", "python3", "tzdata")
_LEFT_OUT = (
    # What installs and configures packages, and what its libraries need.
    "/bin/tar",
    "/etc/cron.daily/*",
    "/etc/logrotate.d/*",
    "/lib/systemd/*",
    "/usr/bin/deb*",
    "/usr/bin/dpkg*",
    "/usr/sbin/*",
    "/usr/share/debconf/*",
    "/usr/share/dpkg/*",
    "/usr/share/perl5/*",
    # What nobody reads in there.
    "/usr/share/bug/*",
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
    "/usr/bin/openssl",
    "/usr/lib/*/gconv/*",  # Python has codecs of its own
    "/usr/lib/python3*/lib2to3/*",
    "/usr/lib/python3*/pydoc_data/*",
)

# Packages are unpacked and none of their scripts run, since these would need a shell; what of theirs matters is here.
# While the packages still lie there it also writes down what they are, for the bill of materials and for scanners.
_FINISH = """#!/bin/sh
set -eu
cd "$1"
for package in var/cache/apt/archives/*.deb; do
    dpkg-deb --field "$package"
    printf 'Status: install ok unpacked\\n\\n'
done > var/lib/dpkg/status
cp usr/share/base-passwd/passwd.master etc/passwd
cp usr/share/base-passwd/group.master etc/group
echo 'nonroot:x:65532:65532:nonroot:/nonexistent:/usr/sbin/nologin' >> etc/passwd
echo 'nonroot:x:65532:' >> etc/group
printf 'passwd: files\\ngroup: files\\nhosts: files dns\\n' > etc/nsswitch.conf
mkdir -p etc/ssl/certs
cat usr/share/ca-certificates/mozilla/*.crt > etc/ssl/certs/ca-certificates.crt
ln -s python3 usr/bin/python
chroot . /usr/bin/python3 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3.*
"""


def source() -> Source:
    """Return the image of this machine's own Debian release, its files made now unless they are there.

    Raises:
        ClusterError: This is no Debian, or its tools are missing.
    """
    release = _release()
    recipe = repr((release, _PACKAGES, _LEFT_OUT, _FINISH))
    name = f"rootfs-{release}-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
    root = cache.once(cache.HOME / "images" / name, _make) / "rootfs.tar"
    return Source(name=PYTHON, dockerfile=(_DOCKERFILES / "python" / "Dockerfile").read_text(), files={root.name: root})


def _release() -> str:
    release = platform.freedesktop_os_release()
    if "debian" not in (release["ID"], *release.get("ID_LIKE", "").split()):
        raise ClusterError(f"no Debian to make a base of: name one, as BASE=python:{python_version()}-slim")
    return release["VERSION_CODENAME"]


def python_version() -> str:
    """Return the version of Python that images have, as 3.11: this one, which chooses the wheels."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _make(target: Path) -> None:
    tools.require_root()
    tools.require(tools.BASE_TOOLS)
    finish = target / "finish"
    finish.write_text(_FINISH)
    finish.chmod(0o755)
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
    command = [
        "mmdebstrap",
        "--variant=extract",
        f"--include={','.join(_PACKAGES)}",
        "--dpkgopt=force-unsafe-io",  # a power cut would cost a download, no more
        *options,
        f"--extract-hook={finish}",
        _release(),
        str(target / "rootfs.tar"),
        *map(str, _package_sources()),
    ]
    environment = {"SOURCE_DATE_EPOCH": "0"}
    output(command, environment=environment)
    finish.unlink()


def _package_sources() -> list[Path]:
    """Return where this machine says that its packages come from."""
    files = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    return [path for path in files if path.suffix in {".list", ".sources"} and path.exists() and path.stat().st_size]
