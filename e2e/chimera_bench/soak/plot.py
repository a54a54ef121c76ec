"""A soak as a picture: memory and workflows over requests."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from chimera_bench.plot import DOTS_PER_INCH
from chimera_bench.soak.readings import Reading


def plot(readings: Sequence[Reading], path: Path) -> None:
    """Write a PNG.

    Raises:
        OSError: The file cannot be written.
    """
    requests = [each.requests for each in readings]
    figure = Figure(figsize=(8, 5), layout="constrained")
    memory, table = figure.subplots(2, 1, sharex=True)
    memory.plot(requests, [each.resident * 1e-6 for each in readings], color="#0072B2")
    memory.set(ylabel="picker's memory, MB", ylim=(0, None), title="A soak: every kind of request, files changing")
    table.plot(requests, [each.workflows for each in readings], color="#D55E00")
    table.set(ylabel="workflows in its table", xlabel="requests", ylim=(0, None))
    for axes in (memory, table):
        axes.grid(visible=True, alpha=0.25)
    figure.savefig(path, format="png", dpi=DOTS_PER_INCH)
