"""What the node's programs would change on the machine, and are given as their own instead."""

from contextlib import suppress
from pathlib import Path

from chimera_cluster.commands import output

# Folders that they write to whatever they are told.
FOLDERS = (
    Path("/run"),  # containerd's shims and runc, iptables' lock
    Path("/var/log"),  # the kubelet's links to containers' logs
    Path("/var/lib/cni"),  # what the network's plugins answered
    Path("/var/lib/kubelet"),  # sockets of device plugins
    Path("/etc/cni"),  # containerd's lock of the network's settings
)

_MADE = "made"  # the note of those that the machine lacked

# What the kubelet wants of the whole machine. It finds that set, in files of its own, and leaves the machine alone.
_SYSCTLS = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}


def make_folders(folder: Path) -> None:
    """Make those that the machine lacks, and note them in the cluster's folder."""
    missing = [path for path in FOLDERS if not path.exists()]
    (folder / _MADE).write_text("\n".join(map(str, missing)))
    for path in missing:
        path.mkdir()


def remove_folders(folder: Path) -> None:
    """Remove those that were made; nobody can have written to them through the mounts over them."""
    with suppress(FileNotFoundError):
        for path in (folder / _MADE).read_text().splitlines():
            Path(path).rmdir()


def isolate(folder: Path) -> None:
    """Put folders and files of this cluster in the place of the machine's, in the mount namespace of this process.

    Args:
        folder: The cluster's.
    """
    _mount("--make-rshared", "/")  # as containerd and the kubelet need it, within this namespace
    for target in FOLDERS:
        own = folder / "private" / target.relative_to("/")
        own.mkdir(parents=True)
        _mount("--bind", str(own), str(target))
    values = folder / "private" / "sysctls"
    values.mkdir()
    for name, value in _SYSCTLS.items():
        own = values / name.replace("/", ".")
        own.write_text(f"{value}\n")
        _mount("--bind", str(own), f"/proc/sys/{name}")


def _mount(*arguments: str) -> None:
    output(["mount", *arguments])
