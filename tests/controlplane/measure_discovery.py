"""Measure how soon the picker sees what happens in a cluster.

    PYTHONPATH=tests/support python tests/controlplane/measure_discovery.py

Prints milliseconds from the moment a pod's readiness is changed until the datastore knows, and until the server has
answered the change; then, for outages of several lengths, the seconds after the API server says that it is ready until
the pods and the pool are confirmed.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

from clusters import Cluster, connected, start, stop
from control_planes import ControlPlane
from discovered import LABELS, Discovered, discovered

from chimera_cluster.programs.catalog import PROGRAMS

PODS, CHANGES = 30, 100
OUTAGES = (0.0, 3.0, 10.0, 60.0)  # seconds beyond those that the server takes to start


async def measure(plane: ControlPlane, cluster: Cluster) -> None:
    """Print both tables."""
    await cluster.install([path.read_text() for path in PROGRAMS.folder("crds").glob("*.yaml")])
    namespace = await cluster.namespace()
    await cluster.pool(namespace, 8000, app="engines")
    names = [f"pod-{number:02}" for number in range(PODS)]
    for number, name in enumerate(names):
        await cluster.pod(namespace, name, f"10.1.0.{number + 1}", **LABELS)
    async with discovered(plane.kubeconfig(), namespace) as found:
        await found.names(*names)
        await _changes(cluster, namespace, found, names)
        for seconds in OUTAGES:
            await _outage(plane, found, seconds)


async def _changes(cluster: Cluster, namespace: str, found: Discovered, names: list[str]) -> None:
    seen, answered = [], []
    for number in range(CHANGES):
        status, expected = ("False", names[1:]) if number % 2 == 0 else ("True", names)
        began = time.perf_counter()
        change = asyncio.ensure_future(cluster.ready(namespace, names[0], status))
        while sorted(found.addresses) != expected:  # noqa: ASYNC110 - a clock of microseconds needs a busy wait
            await asyncio.sleep(0)
        seen.append(time.perf_counter() - began)
        await change
        answered.append(time.perf_counter() - began)
    for name, times in (("seen", seen), ("answered", answered)):
        p95 = statistics.quantiles(times, n=20)[-1]
        _say(f"{name:10}p50 {statistics.median(times) * 1e3:6.1f} ms   p95 {p95 * 1e3:6.1f} ms")


async def _outage(plane: ControlPlane, found: Discovered, seconds: float) -> None:
    mirrors = (found.source._pod_mirror, found.source._pool_mirror)
    await stop(plane)
    await asyncio.sleep(seconds)
    gone = time.monotonic()
    await start(plane)
    ready = time.monotonic()
    while any(mirror is None or mirror.confirmed_at < gone for mirror in mirrors):  # noqa: ASYNC110 - as it is told
        await asyncio.sleep(0.01)
    pods, pool = (max(0.0, mirror.confirmed_at - ready) for mirror in mirrors if mirror is not None)
    _say(f"{seconds:4.0f} s outage: pods confirmed {pods:4.1f} s, pool {pool:4.1f} s after the server is ready")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main() -> None:
    """Start a control plane, measure, stop it."""
    with tempfile.TemporaryDirectory() as folder:
        plane = ControlPlane(Path(folder))
        try:
            plane.start()
            async with connected(plane.kubeconfig()) as cluster:
                await measure(plane, cluster)
        finally:
            plane.stop()


if __name__ == "__main__":
    asyncio.run(main())
