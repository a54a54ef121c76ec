"""What the bench of very many pools measures, with few."""

import pytest
from clusters import Cluster
from control_planes import ControlPlane
from rich.console import Console

from chimera_bench.operator_scale.__main__ import run, table

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]  # two operators, one after the other, on a busy machine

CONTROLLERS = {"controllers": "*,-endpoints-controller,-endpointslice-controller"}
"""Those that pods on no node are too much for are left out."""


async def test_pools_are_made_once_and_followed(control_plane: ControlPlane, cluster: Cluster) -> None:
    """The first operator writes everything, the second nothing and takes edits on; what was made is taken away."""
    with control_plane.controller_manager(CONTROLLERS):
        found = await run(control_plane.kubeconfig(), 4, idle_seconds=1.0, changes=4)

    assert found.pools == 4
    assert found.first.objects >= 4 * 10
    assert found.second.objects == 0
    assert len(found.changes) == 4
    assert all(0.0 < seconds < 30.0 for seconds in found.changes)
    assert 10.0 < found.rest.resident_mib <= found.most_mib
    places = [each for each in await cluster.list("v1", "Namespace", "") if "scale-" in each["metadata"]["name"]]
    assert all("deletionTimestamp" in each["metadata"] for each in places)
    console = Console(width=120)
    with console.capture() as shown:
        console.print(table(found))
    assert "An operator of 4 pools" in shown.get()
