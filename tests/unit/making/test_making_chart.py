"""What the chart says of itself is so."""

import tomllib
from typing import Any

import pytest
import yaml
from charts import CHART, ROOT

from chimera_operator.api.crds import definitions
from chimera_operator.api.parse import parse_resource

METADATA: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text())
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())


def _told(annotation: str) -> list[dict[str, Any]]:
    """Return what an annotation of Artifact Hub lists."""
    found: list[dict[str, Any]] = yaml.safe_load(METADATA["annotations"][f"artifacthub.io/{annotation}"])
    return found


def test_version_is_the_projects() -> None:
    """Chart and images are released together, so that a tag need not be given."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert METADATA["appVersion"] == METADATA["version"] == project["version"]


def test_images_that_are_listed_are_those_of_the_values() -> None:
    """Whoever mirrors what Artifact Hub lists has all."""
    images = (VALUES["image"], VALUES["picker"]["image"], VALUES["simulator"]["image"])

    assert [each["image"] for each in _told("images")] == [
        f"{image['repository']}:{METADATA['appVersion']}" for image in images
    ]


def test_resources_that_are_listed_are_those_that_are_defined() -> None:
    """By name, kind and version."""
    made = definitions()

    assert {each["name"] for each in _told("crds")} == made.keys()
    for each in _told("crds"):
        spec = made[each["name"]]["spec"]
        assert (each["kind"], each["version"]) == (spec["names"]["kind"], spec["versions"][0]["name"])


def test_examples_are_pools() -> None:
    """What people copy is what the operator reads."""
    for document in _told("crdsExamples"):
        metadata = {**document["metadata"], "namespace": "models"}
        assert parse_resource({**document, "metadata": metadata}).spec.models


@pytest.mark.parametrize("account", ["picker", "simulator"])
def test_images_have_the_same_values(account: str) -> None:
    """Whoever knows how to pin one knows how to pin all."""
    assert VALUES["image"].keys() - {"pullPolicy"} == VALUES[account]["image"].keys()
