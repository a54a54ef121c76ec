"""The bill of materials of an image, as CycloneDX 1.6 in JSON: Python's distributions and Debian's packages.

It names neither a time nor a number of its own: equal images have equal bills.
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from typing import Any
from urllib.parse import quote

Component = dict[str, Any]


def bill(name: str, version: str, components: Iterable[Component]) -> dict[str, Any]:
    """Return the bill of an image.

    Args:
        name: Of the image.
        version: Of the image.
        components: What is in it.
    """
    described = {"type": "container", "name": name, "version": version}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": described},
        "components": sorted(components, key=lambda component: str(component["purl"])),
    }


def python_component(distribution: metadata.Distribution) -> Component:
    """Return a distribution of Python."""
    described = distribution.metadata
    name, version = described["Name"], distribution.version
    component = _component(name, version, f"pkg:pypi/{name.lower().replace('_', '-')}@{quote(version)}")
    if "License-Expression" in described:
        component["licenses"] = [{"expression": described["License-Expression"]}]
    elif names := [each.rpartition(" :: ")[2] for each in described.get_all("Classifier", []) if "License ::" in each]:
        component["licenses"] = [{"license": {"name": each}} for each in names]
    return component


def debian_components(status: str, release: str) -> Iterator[Component]:
    """Yield the installed packages of dpkg's status file.

    Args:
        status: Its text.
        release: Of Debian, as in `debian-12`.
    """
    for stanza in status.split("\n\n"):
        fields = _fields(stanza)
        if fields.get("Status", "").endswith(" installed") or fields.get("Status", "").endswith(" unpacked"):
            name, version = fields["Package"], fields["Version"]
            where = f"arch={fields['Architecture']}&distro={release}"
            yield _component(name, version, f"pkg:deb/debian/{quote(name)}@{quote(version)}?{where}")


def _component(name: str, version: str, purl: str) -> Component:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _fields(stanza: str) -> Mapping[str, str]:
    """Return the fields of one line each; those of several are descriptions and lists."""
    lines = (line.partition(": ") for line in stanza.splitlines() if not line.startswith(" "))
    return {key: value for key, _, value in lines}
