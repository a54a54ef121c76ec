"""The samples: what people copy has to work."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import json_format

from chimera_operator.api.parse import parse_resource
from chimera_operator.api.source import Source
from chimera_operator.rendering.router_config import router_config
from chimera_proto.config.v1alpha1.router_config_pb2 import RouterConfig

FOLDER = Path(__file__).resolve().parents[3] / "manifests" / "samples"
SAMPLES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))}


@pytest.mark.parametrize("document", SAMPLES.values(), ids=SAMPLES)
def test_sample_is_a_pool_that_a_picker_can_serve(document: dict[str, Any]) -> None:
    """It keeps every rule of a cluster, and its picker's configuration can be made."""
    pool = parse_resource(document)

    config = json_format.ParseDict(router_config(pool, discovery={}), RouterConfig())
    assert [model.name for model in config.models] == [model.name for model in pool.spec.models]


def test_samples_show_every_kind_of_source() -> None:
    """Hub, volume, bucket and image, each at least once."""
    sources = [model.source for document in SAMPLES.values() for model in parse_resource(document).spec.models]
    shown = {name for source in sources if source for name, value in source if value}

    assert shown == set(Source.model_fields)


def test_samples_show_every_way_to_scale() -> None:
    """A fixed number, by the load, by somebody else; and down to none."""
    scalings = [model.scaling for document in SAMPLES.values() for model in parse_resource(document).spec.models]

    assert any(scaling.replicas for scaling in scalings)
    assert any(scaling.auto for scaling in scalings)
    assert any(scaling.external for scaling in scalings)
    assert any(scaling.auto.scale_to_zero for scaling in scalings if scaling.auto)
