"""Dashboards for Grafana: what one shows in a few lines, and the JSON that Grafana reads.

Every panel is a graph over time, two side by side. Where data comes from, and whose, is chosen at the top.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_WIDTH, _HEIGHT = 12, 8  # of a panel; Grafana's grid has 24 columns
_SCHEMA = 39  # of Grafana 10, which later ones bring up to date by themselves

POOL = 'namespace="$namespace", chimera_dev_pool="$pool"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One graph.

    Attributes:
        title: Of the graph.
        text: What it means, and what to do about it.
        unit: As Grafana calls it: `s`, `short`, `percentunit`, `reqps`.
        queries: PromQL by the legend of what it gives.
    """

    title: str
    text: str
    unit: str
    queries: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One page.

    Attributes:
        title: Of the page.
        variables: What is chosen at the top, by name: the PromQL that lists the choices.
        panels: Graphs, row after row.
    """

    title: str
    variables: Mapping[str, str]
    panels: tuple[Panel, ...]


def rate(metric: str, *by: str, where: str = POOL) -> str:
    """Return the rate of a counter, summed up to labels."""
    return f"sum{_by(by)} (rate({metric}{{{where}}}[$__rate_interval]))"


def total(metric: str, *by: str, where: str = POOL) -> str:
    """Return a gauge, summed up to labels."""
    return f"sum{_by(by)} ({metric}{{{where}}})"


def highest(metric: str, *by: str, where: str = POOL) -> str:
    """Return the highest of a gauge, by labels."""
    return f"max{_by(by)} ({metric}{{{where}}})"


def quantile(share: float, metric: str, *by: str, where: str = POOL) -> str:
    """Return a quantile of a histogram, by labels."""
    return f"histogram_quantile({share}, {rate(f'{metric}_bucket', 'le', *by, where=where)})"


def mean(metric: str, *by: str, where: str = POOL) -> str:
    """Return the mean of a histogram, by labels."""
    return f"{rate(f'{metric}_sum', *by, where=where)} / {rate(f'{metric}_count', *by, where=where)}"


def _by(labels: Iterable[str]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""


def written(name: str, dashboard: Dashboard) -> str:
    """Return a dashboard as Grafana reads it, a line for each panel.

    Args:
        name: By which Grafana knows it, whatever its title.
        dashboard: What it shows.
    """
    document = {
        "uid": f"chimera-{name}",
        "title": dashboard.title,
        "tags": ["chimera"],
        "schemaVersion": _SCHEMA,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_source(), *(_variable(*each) for each in dashboard.variables.items())]},
    }
    page = json.dumps(document).removesuffix("}")
    panels = ",\n".join(json.dumps(_panel(number, panel)) for number, panel in enumerate(dashboard.panels))
    return f'{page}, "panels": [\n{panels}\n]}}\n'


_DATA = {"type": "prometheus", "uid": "${datasource}"}


def _source() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": _DATA,
        "query": {"query": query, "refId": name},
        "refresh": 2,  # whenever the time range changes
        "sort": 1,
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, 24 // _WIDTH)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.text,
        "datasource": _DATA,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": _DATA, "expr": query, "legendFormat": legend}
            for index, (legend, query) in enumerate(panel.queries.items())
        ],
    }
