"""What pools become, as readable files: `python tests/support/golden_manifests.py` writes them anew.

A change of rendering shows in them as a person would see it in a cluster.
"""

from pathlib import Path
from typing import Any

import yaml
from rendered_pools import SITUATIONS, rendered

FOLDER = Path(__file__).resolve().parents[1] / "unit" / "operator" / "golden"


class Dumper(yaml.SafeDumper):
    """YAML for people: no anchors, and a text of several lines as it is."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Return that nothing is an alias."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, _text)


def golden(name: str) -> str:
    """Return what a situation's file has to hold."""
    document, facts = SITUATIONS[name]
    # What holds no other collections stands on one line, if there is room.
    options = {"sort_keys": False, "default_flow_style": None, "width": 120}
    return yaml.dump_all(rendered(document, facts), Dumper=Dumper, **options)


def path_of(name: str) -> Path:
    """Return where a situation's file is."""
    return FOLDER / f"{name}.yaml"


def main() -> None:
    """Write every file, and delete what belongs to no situation."""
    FOLDER.mkdir(exist_ok=True)
    for stale in {*FOLDER.glob("*.yaml")} - {path_of(name) for name in SITUATIONS}:
        stale.unlink()
    for name in SITUATIONS:
        path_of(name).write_text(golden(name))


if __name__ == "__main__":
    main()
