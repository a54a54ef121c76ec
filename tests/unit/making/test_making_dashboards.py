"""A page of graphs, as Grafana reads it."""

import json
from typing import Any

import pytest

from making import grafana
from making.grafana import Dashboard, Panel
from making.operator_page import OPERATOR
from making.picker_page import PICKER
from making.pool_page import OVERVIEW

PAGES = {"operator": OPERATOR, "picker": PICKER, "pool": OVERVIEW}
pages = pytest.mark.parametrize("name", PAGES)


def _document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(grafana.written(name, PAGES[name]))
    return found


def test_questions_are_promql() -> None:
    """Rates of counters, sums of gauges, and of histograms quantiles and means, over what is chosen at the top."""
    chosen = 'namespace="$namespace", chimera_dev_pool="$pool"'

    assert grafana.rate("a_total", "x", "y") == f"sum by (x, y) (rate(a_total{{{chosen}}}[$__rate_interval]))"
    assert grafana.total("b") == f"sum (b{{{chosen}}})"
    assert grafana.highest("c", "pod", where="") == "max by (pod) (c{})"
    assert (
        grafana.quantile(0.5, "d", where="")
        == "histogram_quantile(0.5, sum by (le) (rate(d_bucket{}[$__rate_interval])))"
    )
    assert (
        grafana.mean("e", where="") == "sum (rate(e_sum{}[$__rate_interval])) / sum (rate(e_count{}[$__rate_interval]))"
    )


@pages
def test_every_panel_has_a_place_and_a_text(name: str) -> None:
    """Two stand side by side, none covers another, and each says what it means."""
    panels = _document(name)["panels"]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]

    assert len(set(places)) == len(panels)
    assert {x for x, _ in places} == {0, 12}
    assert all(panel["description"] and panel["title"] and panel["targets"] for panel in panels)
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))


@pages
def test_source_of_data_is_chosen(name: str) -> None:
    """No page counts on the name that a Grafana gives to its Prometheus."""
    document = _document(name)
    source, *others = document["templating"]["list"]

    assert source["type"] == "datasource"
    asked = [*others, *document["panels"], *(target for panel in document["panels"] for target in panel["targets"])]
    assert {each["datasource"]["uid"] for each in asked} == {"${datasource}"}


@pages
def test_files_are_short(name: str) -> None:
    """A line for each panel, so that a change shows as what it is."""
    assert len(grafana.written(name, PAGES[name]).splitlines()) == len(PAGES[name].panels) + 2


def test_queries_of_a_panel_have_names_of_their_own() -> None:
    """Grafana tells them apart by letters."""
    panel = Panel(title="t", text="x", unit="s", queries={"one": "a", "two": "b"})
    document = json.loads(grafana.written("n", Dashboard(title="p", variables={}, panels=(panel,))))
    (made,) = document["panels"]

    assert [(each["refId"], each["expr"], each["legendFormat"]) for each in made["targets"]] == [
        ("A", "a", "one"),
        ("B", "b", "two"),
    ]
