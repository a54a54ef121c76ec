"""What an operator of very many pools takes: `python -m chimera_bench.operator_scale --pools 1000`.

Needs a cluster of its own, with controllers and without nodes: the pods of the pools are said to run by this program.
"""

import argparse
import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chimera_bench.operator_scale.ground import Ground
from chimera_bench.operator_scale.measuring import Figures, measure
from chimera_operator.cluster import credentials
from chimera_operator.cluster.client import ApiServer
from chimera_operator.cluster.errors import ClusterError
from chimera_operator.local.errors import LocalError


class _Uncounted:
    def called(self, verb: str, code: str) -> None:
        """Calls of this program do not count."""


async def run(kubeconfig: Path, pools: int, *, idle_seconds: float, changes: int) -> Figures:
    """Make the pools, measure, and remove them.

    Raises:
        CredentialsError: The kubeconfig has none.
        ApiServerError: The server refuses.
        LocalError: An operator could not be started.
    """
    async with credentials.connected(kubeconfig) as library:
        ground = Ground(ApiServer(library, _Uncounted()), pools)
        await ground.prepare()
        try:
            return await measure(ground, kubeconfig, idle_seconds=idle_seconds, changes=changes)
        finally:
            await ground.remove()


def table(found: Figures) -> Table:
    """Return the figures as a table."""
    shown = Table(title=f"An operator of {found.pools} pools", show_header=False)
    shown.add_column("what")
    shown.add_column("figure", justify="right")
    for what, figure in (
        ("all pools made and ready", f"{found.first.seconds:.0f} s, {found.first.objects:.0f} objects written"),
        ("memory at most meanwhile", f"{found.first.peak_mib:.0f} MiB"),
        (
            "started again with all in order",
            f"{found.second.seconds:.1f} s, {found.second.objects:.0f} objects written",
        ),
        ("memory at most meanwhile", f"{found.second.peak_mib:.0f} MiB"),
        ("memory at rest", f"{found.rest.resident_mib:.0f} MiB"),
        (f"calls to the API server at rest, of {found.rest.seconds:.0f} s", f"{found.rest.calls:.2f} a second"),
        ("processor at rest", f"{100 * found.rest.cores:.2f} % of a core"),
        (f"change to applied, p50 of {len(found.changes)}", f"{found.change(50):.3f} s"),
        ("change to applied, p95", f"{found.change(95):.3f} s"),
        ("memory at most after the changes", f"{found.most_mib:.0f} MiB"),
    ):
        shown.add_row(what, figure)
    return shown


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m chimera_bench.operator_scale", description=__doc__)
    parser.add_argument("--pools", type=int, default=1000)
    parser.add_argument("--idle", type=float, default=60.0, help="seconds of rest that are measured")
    parser.add_argument("--changes", type=int, default=50, help="pools that are changed, one after another")
    parser.add_argument("--kubeconfig", type=Path, default=os.environ.get("KUBECONFIG"), help="by default $KUBECONFIG")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    told = parser.parse_args()
    if told.kubeconfig is None:
        parser.error("--kubeconfig or $KUBECONFIG must name the cluster")
    try:
        found = asyncio.run(run(Path(told.kubeconfig), told.pools, idle_seconds=told.idle, changes=told.changes))
    except (LocalError, ClusterError) as error:
        sys.exit(f"{parser.prog}: {error}")
    if told.json:
        Console().print_json(json.dumps(asdict(found)))
    else:
        Console().print(table(found))


if __name__ == "__main__":
    main()
