"""`chimera plan`: what applying a pool would do, and what it would take."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from chimera_cli.cluster import Kubeconfig, Namespace, ask
from chimera_cli.output import refuse, wide_console
from chimera_operator.api.errors import PoolError
from chimera_operator.local.documents import load_document
from chimera_operator.local.errors import PoolFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chimera_operator.api.pool import HeterogeneousModelPool
    from chimera_operator.cluster.port import Api
    from chimera_operator.planning.observed import Observed
    from chimera_operator.planning.preview import Cost, Preview, Restart


def plan(  # noqa: PLR0913 - one parameter for each option
    file: Annotated[Path, typer.Argument(metavar="POOL.yaml", help="A HeterogeneousModelPool document.")],
    *,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = "",
    operator_namespace: Annotated[
        str, typer.Option(help="Where the operator is: what it was told decides what pools become.")
    ] = "chimera-system",
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no cluster: the pool is new, and every kind is there.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show what applying a pool would create, change, restart and delete, and whether its models fit; write nothing.

    Example: chimera plan pool.yaml -n agents
    """
    try:
        found = _preview(load_document(file), kubeconfig, namespace, "" if offline else operator_namespace)
    except PoolFileError as error:
        refuse(str(error))
    except PoolError as error:
        refuse(f"{file}: {error}")
    if as_json:
        typer.echo(json.dumps(_record(found), indent=2))
    else:
        _show(found)


def _preview(document: Any, kubeconfig: Path | None, namespace: str, operator_namespace: str) -> "Preview":
    """Return what would happen; in no cluster at all where the operator's namespace is empty."""
    # The command line starts without the second that these take.
    from chimera_operator.inspection import imagined, placed, unchanged  # noqa: PLC0415 - as said above
    from chimera_operator.planning.preview import preview  # noqa: PLC0415 - same

    own = placed(document, namespace)
    seen = ask(kubeconfig, partial(_seen, own, operator_namespace)) if operator_namespace else imagined(own)
    return preview(*seen, unchanged, now=datetime.now(UTC))


async def _seen(document: Any, operator_namespace: str, api: "Api") -> "tuple[HeterogeneousModelPool, Observed]":
    from chimera_operator.inspection import inspect, installed  # noqa: PLC0415 - as above

    settings = await installed(api, operator_namespace)
    if settings is None:
        refuse(f"no operator is in {operator_namespace}: see --operator-namespace, or --offline")
    return await inspect(api, document, settings)


def _record(found: "Preview") -> dict[str, Any]:
    changes = [{"action": each.action, **each.key._asdict()} for each in found.changes]
    costs = [{**asdict(each), "fit": each.fit.model_dump(mode="json", by_alias=True)} for each in found.costs]
    restarts = [asdict(each) for each in found.restarts]
    totals = {"cards": dict(found.cards), "kv_tokens": found.kv_tokens}
    return {"changes": changes, "restarts": restarts, "costs": costs, **totals}


def _show(found: "Preview") -> None:
    console = wide_console()
    changed = [each for each in found.changes if each.action != "Keep"]
    kept = len(found.changes) - len(changed)
    table = _table("Objects", "action", "kind", "name", caption=f"{kept} stay as they are")
    for each in changed:
        table.add_row(each.action, each.key.kind, each.key.name)
    console.print(table)
    if found.restarts:
        console.print(_restarts(found.restarts))
    console.print(_costs(found))


def _restarts(restarts: "Sequence[Restart]") -> Table:
    table = _table("Replicas that are replaced", "model", "on", "replicas", "how")
    for each in restarts:
        table.add_row(each.model, each.accelerator or "CPUs", str(each.replicas), each.strategy)
    return table


def _costs(found: "Preview") -> Table:
    cards = ", ".join(f"{count} {card}" for card, count in found.cards.items()) or "no cards"
    caption = f"to begin with: {cards}, {found.kv_tokens:,} tokens of KV cache"
    table = _table("Models", "model", "on", "replicas", "cards", "KV tokens", "fits", "why", caption=caption)
    for each in found.costs:
        table.add_row(*_cost(each))
    return table


def _cost(cost: "Cost") -> tuple[str, ...]:
    replicas = str(cost.replicas) if cost.most == cost.replicas else f"{cost.replicas} to {cost.most}"
    tokens = "?" if cost.kv_tokens is None else f"{cost.kv_tokens:,}"
    return (
        cost.model,
        cost.accelerator or "CPUs",
        replicas,
        str(cost.cards),
        tokens,
        cost.fit.verdict,
        escape(cost.fit.message),
    )


def _table(title: str, *headings: str, caption: str = "") -> Table:
    table = Table(title=title, caption=caption or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for heading in headings:
        table.add_column(heading)
    return table
