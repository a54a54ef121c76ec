"""Write what is made from the resource types and for the chart, or check that what is committed is current.

Run by `make manifests`; `make check` runs it with --check, which writes nothing and fails on a difference.
A chart reads nothing outside its folder: what it shares with other ways to install lies in it as copies.
"""

import argparse
import sys
from pathlib import Path

import yaml

from chimera_operator.api.crds import definitions
from chimera_operator.api.reference import reference
from making import grafana, installer, operator_page, picker_page, pool_page
from making.documents import Dumper
from making.values import schema, table

ROOT = Path(__file__).resolve().parents[1]
HEAD = "# Made from chimera_operator.api by `make manifests`.\n"
CHART = Path("charts", "chimera")
BEGIN, END = "<!-- values, made by `make manifests` -->\n", "<!-- end -->\n"
COPIED = {
    "rbac": ("operator.yaml", "people.yaml", "picker-auth.yaml"),
    "alerts": ("chimera.yaml",),
}
"""Files of the chart, by the folder that both are in."""
DASHBOARDS = {"operator": operator_page.OPERATOR, "picker": picker_page.PICKER, "pool": pool_page.OVERVIEW}


def made() -> dict[Path, str]:
    """Return every text by its path in the tree."""
    crds = {
        Path("manifests", "crds", f"{name}.yaml"): HEAD + yaml.dump(crd, Dumper=Dumper, sort_keys=False, width=120)
        for name, crd in definitions().items()
    }
    shown = {
        Path("manifests", "dashboards", f"{name}.json"): grafana.written(name, dashboard)
        for name, dashboard in DASHBOARDS.items()
    }
    rights = [(ROOT / "manifests" / "rbac" / name).read_text() for name in COPIED["rbac"]]
    return {
        **crds,
        **shown,
        **_of_chart({**crds, **shown}),
        Path("manifests", "rbac", "installer.yaml"): installer.roles(definitions(), rights),
        Path("docs", "api.md"): reference(),
    }


def _of_chart(shared: dict[Path, str]) -> dict[Path, str]:
    """Return the files of the chart that are not kept by hand."""
    kept = {Path("manifests", folder, name) for folder, names in COPIED.items() for name in names}
    sources = {**shared, **{path: (ROOT / path).read_text() for path in kept}}
    values = (ROOT / CHART / "values.yaml").read_text()
    before, _, rest = (ROOT / CHART / "README.md").read_text().partition(BEGIN)
    return {
        **{CHART / "files" / path.relative_to("manifests"): text for path, text in sources.items()},
        CHART / "values.schema.json": schema(values),
        CHART / "README.md": f"{before}{BEGIN}\n{table(values)}\n{END}{rest.partition(END)[2]}",
    }


def main() -> None:
    """Write the files, or exit with 1 and their names where they differ from what is committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    check = parser.parse_args().check
    stale = [path for path, text in made().items() if _committed(path) != text]
    if check and stale:
        sys.exit(f"stale, run `make manifests`: {', '.join(map(str, stale))}")
    for path in stale:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(made()[path])


def _committed(path: Path) -> str:
    return (ROOT / path).read_text() if (ROOT / path).exists() else ""


if __name__ == "__main__":
    main()
