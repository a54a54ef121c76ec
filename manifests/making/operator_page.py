"""The dashboard of the operator: pools and models, and what it takes to look after them."""

from making.grafana import Dashboard, Panel, highest, quantile, rate, total

_ALL = ""

OPERATOR = Dashboard(
    title="Chimera / Operator",
    variables={},
    panels=(
        Panel(
            title="Pools by whether they are ready",
            text="By the condition Ready. `kubectl get hmp -A -o wide` shows which, and why.",
            unit="short",
            queries={"{{ready}}": total("chimera_pools", "ready", where=_ALL)},
        ),
        Panel(
            title="Models by phase",
            text="Failed: no replica serves and none is on its way.",
            unit="short",
            queries={"{{phase}}": total("chimera_models", "phase", where=_ALL)},
        ),
        Panel(
            title="Looks at pools",
            text="By what came of them. A pool is looked at when something about it changes.",
            unit="reqps",
            queries={"{{outcome}}": rate("chimera_operator_reconcile_seconds_count", "outcome", where=_ALL)},
        ),
        Panel(
            title="Time of a look",
            text="Looking, planning and writing.",
            unit="s",
            queries={
                "p50": quantile(0.5, "chimera_operator_reconcile_seconds", where=_ALL),
                "p99": quantile(0.99, "chimera_operator_reconcile_seconds", where=_ALL),
            },
        ),
        Panel(
            title="Who leads",
            text="1 for the operator that holds the lease.",
            unit="short",
            queries={"{{pod}}": highest("chimera_operator_leader", "pod", where=_ALL)},
        ),
        Panel(
            title="Pools that wait for a look",
            text="More than a few for long: the API server is slow.",
            unit="short",
            queries={"waiting": total("chimera_operator_queue_depth", where=_ALL)},
        ),
        Panel(
            title="Objects written",
            text="By kind and why. restored: somebody else had changed it.",
            unit="ops",
            queries={"{{kind}} {{change}}": rate("chimera_operator_writes_total", "kind", "change", where=_ALL)},
        ),
        Panel(
            title="Calls to the API server",
            text="By verb and answer.",
            unit="reqps",
            queries={"{{verb}} {{code}}": rate("chimera_operator_api_calls_total", "verb", "code", where=_ALL)},
        ),
        Panel(
            title="Silence of watches",
            text="Since each heard or asked anything. At 15 minutes the operator is restarted.",
            unit="s",
            queries={"{{resource}}": highest("chimera_operator_watch_age_seconds", "resource", where=_ALL)},
        ),
        Panel(
            title="Watches that came to nothing",
            text="By resource and reason. They begin anew by themselves.",
            unit="ops",
            queries={
                "{{resource}} {{reason}}": rate(
                    "chimera_operator_watch_interruptions_total", "resource", "reason", where=_ALL
                )
            },
        ),
    ),
)
