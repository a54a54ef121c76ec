"""`chimera bench --live`: chosen cells of a comparison on real servers, beside what virtual time says of them."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from chimera_cli.output import progress_bar, refuse, wide_console
from chimera_cli.signals import until_signalled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chimera_bench.ground import Ground
    from chimera_bench.live.points import Point
    from chimera_bench.records import Cell

# What is played where no policy is named: the two that everything else lies between.
POLICIES = ("chimera", "round-robin")

FAILED = 1


def show_live(  # noqa: PLR0913 - what the options say of the live replay
    grounds: "dict[str, Ground]",
    planned: "Sequence[Cell]",
    *,
    bundle: Path | None,
    data: Path | None,
    speed: float | None,
    as_json: bool,
) -> None:
    """Play cells live and in virtual time, one after the other, and print how far the two are apart.

    Args:
        grounds: By the name of the pool.
        planned: What to play.
        bundle: Folder of the bundle; None is the package's own.
        data: Folder of recorded data; None is the package's own.
        speed: How many times faster than real; None is as fast as this machine can.
        as_json: Print points as JSON, not as tables.
    """
    from chimera_bench.live.document import NotLiveError  # noqa: PLC0415 - as in comparison
    from chimera_bench.replay.conversation import ReplayError  # noqa: PLC0415 - same
    from chimera_bench.replay.rounds import PoolLost  # noqa: PLC0415 - same
    from chimera_operator.api.errors import PoolError  # noqa: PLC0415 - same
    from chimera_operator.local.errors import LocalError  # noqa: PLC0415 - same

    _refuse_unplayable(grounds, planned)
    try:
        points = asyncio.run(until_signalled(_play(grounds, planned, bundle=bundle, data=data, speed=speed)))
    except (NotLiveError, PoolError) as error:
        refuse(str(error))
    except (LocalError, PoolLost, ReplayError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from None
    if as_json:
        lines = ",\n ".join(json.dumps(point.as_json()) for point in points)
        typer.echo(f"[{lines}]")
    else:
        _print(points)


def _refuse_unplayable(grounds: "dict[str, Ground]", planned: "Sequence[Cell]") -> None:
    """Refuse a setting that no picker can be given before any other is played for minutes."""
    from chimera_bench.baselines import CATALOGUE  # noqa: PLC0415 - as in comparison
    from chimera_bench.live.document import NotLiveError, document  # noqa: PLC0415 - same

    for cell in planned:
        background = grounds[cell.pool].background
        try:
            document(background.pool, CATALOGUE[cell.policy].build(background, **cell.params), bundle=Path())
        except NotLiveError as error:
            refuse(f"policy {cell.policy!r} cannot be played live: {error}")


async def _play(
    grounds: "dict[str, Ground]",
    planned: "Sequence[Cell]",
    *,
    bundle: Path | None,
    data: Path | None,
    speed: float | None,
) -> "list[Point]":
    from chimera_bench.live.pace import pace  # noqa: PLC0415 - as in comparison
    from chimera_bench.live.points import play_point  # noqa: PLC0415 - same
    from chimera_router.prediction.bundle import default_bundle  # noqa: PLC0415 - same
    from chimera_training.data import recorded_folder  # noqa: PLC0415 - same

    points = []
    with progress_bar() as progress:
        for cell in planned:
            ground = grounds[cell.pool]
            chosen = speed or pace(ground, cell.load)
            name = f"{cell.pool}, {cell.policy}, load {cell.load:.3g}, {chosen:.3g}x real speed"
            bar = progress.add_task(name, total=len(ground.arrivals(cell)))
            point = await play_point(
                ground,
                cell,
                bundle=bundle or default_bundle(),
                recordings=data or recorded_folder(),
                speed=chosen,
                on_result=lambda bar=bar: progress.advance(bar),  # type: ignore[misc]
            )
            points.append(point)
    return points


def _print(points: "Sequence[Point]") -> None:
    from chimera_bench.live.table import NOTE, points_table  # noqa: PLC0415 - as in comparison

    console = wide_console()
    for pool in dict.fromkeys(point.virtual.pool for point in points):
        console.print(points_table([point for point in points if point.virtual.pool == pool]))
    console.print(NOTE, highlight=False)
