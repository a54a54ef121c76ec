"""A cluster comes and goes without a trace on the machine; it needs root, and no other cluster here meanwhile."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chimera_cluster import namespace
from chimera_cluster.cgroups import ROOT as CGROUPS
from chimera_cluster.commands import output
from chimera_cluster.isolation import FOLDERS
from chimera_cluster.place import Place

pytestmark = pytest.mark.timeout(1800)  # the first time programs and images are made

PLACE = Place()
UP = 120.0  # seconds from nothing to ready, with all programs at hand

# Settings of the kernel that move by themselves, or by what any process of the machine does.
RESTLESS = ("/proc/sys/fs/", "/proc/sys/kernel/ns_last_pid", "/proc/sys/kernel/random/", "/proc/sys/kernel/tainted")


@pytest.fixture(autouse=True)
def _machine() -> Iterator[None]:
    """Refuse to end a cluster that somebody uses; leave none."""
    if os.geteuid():
        pytest.skip("namespaces are root's")
    if namespace.keeper(PLACE) is not None:
        pytest.skip("a cluster runs here: make cluster-down")
    yield
    run("down")


def run(command: str) -> None:
    """Do what `make cluster` and `make cluster-down` do."""
    output([sys.executable, "-m", "chimera_cluster", command])


def settings() -> dict[str, str]:
    """Return what the kernel can be told, less what moves by itself."""
    found = {}
    for path in Path("/proc/sys").rglob("*"):
        if path.is_file() and path.stat().st_mode & 0o200 and not str(path).startswith(RESTLESS):
            try:
                found[str(path)] = path.read_text()
            except OSError:  # some can only be written
                continue
    return found


def programs() -> set[str]:
    """Return the names of programs that run in another network than this process."""
    names, here = set(), Path("/proc/self/ns/net").readlink()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns" / "net").readlink() != here:
                names.add((process / "comm").read_text().strip())
        except OSError:
            continue  # it has ended
    return names


def machine() -> dict[str, object]:
    """Return all that a cluster could leave behind."""
    folders = [path for path in (*FOLDERS, PLACE.folder) if path.exists() and path != Path("/run")]
    return {
        "programs": programs(),
        "mounts": Path("/proc/self/mounts").read_text(),
        "interfaces": output(["ip", "-brief", "link"]),
        "routes": output(["ip", "route", "show", "table", "all"]),
        "rules": output(["nft", "list", "ruleset"]),
        "namespaces": output(["ip", "netns"]),
        "cgroups": {str(path) for path in CGROUPS.rglob("*") if path.is_dir() and "chimera" in str(path)},
        "folders": folders,
        "sockets": {str(path) for path in Path("/run").iterdir()},
        "settings": settings(),
    }


def test_nothing_stays() -> None:
    """Processes, mounts, interfaces, rules, cgroups, kernel settings and folders are after a cluster as they were."""
    before = machine()
    run("up")
    programs_while_up = programs()

    run("down")
    after = machine()

    assert {"etcd", "kubelet"} <= programs_while_up
    assert {name for name in before if before[name] != after[name]} == set()


def test_cluster_does_not_touch_the_machines_network() -> None:
    """While it runs the machine's own interfaces, routes, rules and settings are as before."""
    before = machine()
    run("up")

    while_up = machine()

    changed = {name for name in before if before[name] != while_up[name]}
    assert changed == {"programs", "cgroups", "folders"}


def test_cluster_is_up_in_time() -> None:
    """With everything built, a cluster is ready in under two minutes."""
    run("up")  # whatever has to be made
    run("down")
    started = time.monotonic()

    run("up")

    assert time.monotonic() - started < UP
