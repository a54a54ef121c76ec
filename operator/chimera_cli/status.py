"""`chimera status`: what the operator says of a pool."""

import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from chimera_cli.cluster import FAILED, Kubeconfig, Namespace, ask
from chimera_cli.output import refuse, wide_console

if TYPE_CHECKING:
    from chimera_operator.api.status import ModelStatus, PoolStatus
    from chimera_operator.cluster.port import Api

LATELY = 10  # Events that are shown: what fits a screen beside the rest


def status(
    pool: Annotated[str, typer.Argument(metavar="POOL", help="Name of the pool.")],
    *,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show conditions, models and what was decided of late; the exit status is 1 where the pool is not ready.

    Example: chimera status agents -n team
    """
    # The command line starts without the second that these take.
    from chimera_operator.api.status import PoolStatus  # noqa: PLC0415 - as said above
    from chimera_operator.cluster import statuses  # noqa: PLC0415 - same

    live, events = ask(kubeconfig, partial(_seen, pool, namespace))
    if live is None:
        refuse(f"there is no pool {pool} in {namespace}")
    found = statuses.read(live) or PoolStatus()
    if as_json:
        typer.echo(json.dumps({"status": live.get("status") or {}, "events": events}, indent=2))
    else:
        _show(pool, found, events)
    if not any(each.type == "Ready" and each.status == "True" for each in found.conditions):
        raise typer.Exit(FAILED)


async def _seen(pool: str, namespace: str, api: "Api") -> tuple[dict[str, Any] | None, Sequence[dict[str, Any]]]:
    from chimera_operator.cluster import objects  # noqa: PLC0415 - as above
    from chimera_operator.cluster.events import posted  # noqa: PLC0415 - same
    from chimera_operator.cluster.store import Name  # noqa: PLC0415 - same
    from chimera_operator.rendering.kinds import POOL  # noqa: PLC0415 - same
    from chimera_operator.rendering.manifest import ObjectKey  # noqa: PLC0415 - same

    live = await objects.read(api, ObjectKey(*POOL, namespace, pool))
    return live, await posted(api, Name(namespace, pool))


def _show(pool: str, found: "PoolStatus", events: Sequence[dict[str, Any]]) -> None:
    console = wide_console()
    pickers = f"{found.picker.ready_replicas}/{found.picker.replicas} pickers"
    console.print(f"{pool}: {found.url or 'no address yet'}, {pickers}, {found.ready_models or '0'} models")
    conditions = _table("condition", "status", "reason", "since", "message")
    for each in found.conditions:
        since = f"{each.last_transition_time:%Y-%m-%d %H:%M:%S}"
        conditions.add_row(each.type, each.status, each.reason, since, escape(each.message))
    models = _table("model", "phase", "ready", "on", "revision", "profile", "why not")
    for model in found.models:
        models.add_row(*_model(model))
    lately = _table("time", "what", "how often", "about")
    for event in events[-LATELY:]:
        lately.add_row(*_event(event))
    for table in (conditions, models, lately):
        console.print(table)


def _model(model: "ModelStatus") -> tuple[str, ...]:
    places = ", ".join(each.name for each in model.accelerators if each.replicas)
    failure = f"{model.last_failure.reason}: {model.last_failure.message}" if model.last_failure else ""
    ready = f"{model.ready_replicas}/{model.replicas}"
    return model.name, model.phase, ready, places or "-", model.revision, model.engine_profile, escape(failure)


def _event(event: dict[str, Any]) -> tuple[str, ...]:
    from chimera_operator.cluster.events import last_seen  # noqa: PLC0415 - as above

    when = last_seen(event).replace("T", " ")[:19]
    return (
        when,
        event.get("reason", ""),
        str((event.get("series") or {}).get("count", 1)),
        escape(event.get("note", "")),
    )


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading)
    return table
