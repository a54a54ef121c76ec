"""A real API server takes everything that every sample becomes, with the definitions of everybody's own kinds."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from clusters import Cluster, connected
from control_planes import ControlPlane
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.dynamic import DynamicClient
from rendered_pools import SITUATIONS, rendered

from chimera_cluster.programs.catalog import PROGRAMS
from chimera_operator.api.crds import definitions
from chimera_operator.rendering.kinds import OPTIONAL
from chimera_operator.rendering.manifest import MANAGER, Manifest

pytestmark = pytest.mark.anyio

KINDS = {(kind.name, kind.api_version.partition("/")[0]) for kind in OPTIONAL}
STRICTLY = [("fieldValidation", "Strict")]


@pytest.fixture(scope="session")
async def cluster(control_plane: ControlPlane) -> AsyncIterator[Cluster]:
    """An API server that has every kind that is rendered, and the namespace that the samples are in."""
    async with connected(control_plane.kubeconfig()) as found:
        await found.install([*theirs(), *definitions().values()])
        await found.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "models"}})
        yield found


def theirs() -> Iterator[dict[str, Any]]:
    """Yield the definitions of the kinds of others that are rendered."""
    for name in ("crds", "gateways"):
        for path in PROGRAMS.folder(name).glob("*.yaml"):
            for document in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader):
                if document and document["kind"] == "CustomResourceDefinition" and defined(document) in KINDS:
                    yield document


def defined(definition: dict[str, Any]) -> tuple[str, str]:
    return definition["spec"]["names"]["kind"], definition["spec"]["group"]


async def refusals(cluster: Cluster, folder: Path, manifests: tuple[Manifest, ...]) -> list[str]:
    """Return what the API server has against objects that are applied as the operator does it, but not stored."""
    refused = []
    async with DynamicClient(cluster.api, cache_file=str(folder / "discovered.json")) as dynamic:
        for manifest in manifests:
            resource = await dynamic.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
            options = {"field_manager": MANAGER, "force_conflicts": True, "dry_run": "All"}
            try:
                await dynamic.server_side_apply(resource, manifest, query_params=STRICTLY, **options)
            except ApiException as error:
                message = json.loads(error.body or "{}").get("message", "")
                refused.append(f"{manifest['kind']} {manifest['metadata']['name']}: {message}")
    return refused


def test_every_kind_of_others_is_defined() -> None:
    """The definitions are those of the versions that the tests pin."""
    assert {defined(each) for each in theirs()} == KINDS


@pytest.mark.parametrize("name", SITUATIONS)
async def test_server_takes_everything_that_a_sample_becomes(cluster: Cluster, tmp_path: Path, name: str) -> None:
    """By server-side apply, strictly: an unknown field, one given twice or a broken rule is a refusal."""
    assert await refusals(cluster, tmp_path, rendered(*SITUATIONS[name])) == []


async def test_server_would_refuse_what_is_wrong(cluster: Cluster, tmp_path: Path) -> None:
    """An unknown field, a value that is none, and a rule of Envoy Gateway's own."""
    manifests = rendered(*SITUATIONS["one-gpu-type.envoy-gateway"])
    kinds = {manifest["kind"]: manifest for manifest in manifests}
    kinds["HTTPRoute"]["spec"]["hostname"] = "unknown.example.com"
    kinds["InferencePool"]["spec"]["targetPorts"] = [{"number": 0}]
    kinds["EnvoyExtensionPolicy"]["spec"]["extProc"][0]["failOpen"] = True

    found = await refusals(cluster, tmp_path, manifests)

    assert sorted(line.partition(" ")[0] for line in found) == ["EnvoyExtensionPolicy", "HTTPRoute", "InferencePool"]
