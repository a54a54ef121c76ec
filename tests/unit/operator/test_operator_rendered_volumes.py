"""What engines read and write: weights, adapters, caches, shared memory."""

from dataclasses import replace
from typing import Any

import pytest
from pool_documents import model_document, pool_document
from rendered_pools import FACTS, environment_of, only, options_of, pod_of, rendered

from chimera_operator.api.errors import PoolError
from chimera_operator.rendering import kinds
from chimera_operator.rendering.facts import Facts
from chimera_operator.rendering.manifest import ENGINE, Manifest

HUB = {"huggingFace": {"repo": "org/small"}}
PVC = {"pvc": {"claimName": "weights", "path": "/a/b/"}}
IMAGE = {"image": {"reference": "registry/weights@sha256:0", "path": "models", "pullPolicy": "IfNotPresent"}}
TOKEN = {"valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}


def model(source: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return pool_document(model_document("small", source=source, **fields))


def pod(source: dict[str, Any], *, facts: Facts = FACTS, **fields: Any) -> Manifest:
    return pod_of(only(rendered(model(source, **fields), facts), kinds.DEPLOYMENT, component=ENGINE))


def engine(source: dict[str, Any], **fields: Any) -> Manifest:
    found: Manifest = pod(source, **fields)["containers"][0]
    return found


def mounts(found: Manifest) -> dict[str, dict[str, Any]]:
    """Return the volumes of a pod by the paths where its first container has them, writable or not."""
    volumes = {volume["name"]: volume for volume in found["volumes"]}
    return {
        mount["mountPath"]: {**volumes[mount["name"]], "writable": not mount.get("readOnly", False)}
        for mount in found["containers"][0]["volumeMounts"]
    }


def test_weights_of_the_hub_are_kept_in_the_cache() -> None:
    """By the revision that the pool pins; the token is never written down."""
    hub = {"repo": "org/small", "revision": "abc", "tokenSecretRef": {"name": "hub"}}
    found = pod({"huggingFace": hub})
    (container,) = found["containers"]

    assert options_of(container)[""] == ["org/small"]
    assert options_of(container)["--revision"] == ["abc"]
    assert environment_of(container)["HF_TOKEN"] == TOKEN["valueFrom"]
    assert environment_of(container)["HF_HOME"] == "/cache/hub"
    assert mounts(found)["/cache/hub"] == {"name": "weights-cache", "emptyDir": {}, "writable": True}
    assert "HF_HUB_OFFLINE" not in environment_of(container)


@pytest.mark.parametrize(
    ("source", "volume", "folder"),
    [
        (PVC, {"persistentVolumeClaim": {"claimName": "weights", "readOnly": True}}, "/models/weights/a/b"),
        (
            IMAGE,
            {"image": {"reference": "registry/weights@sha256:0", "pullPolicy": "IfNotPresent"}},
            "/models/weights/models",
        ),
        (
            {"pvc": {"claimName": "w"}},
            {"persistentVolumeClaim": {"claimName": "w", "readOnly": True}},
            "/models/weights",
        ),
    ],
    ids=["volume", "image", "root of a volume"],
)
def test_weights_on_a_volume_are_read_from_it(source: dict[str, Any], volume: dict[str, Any], folder: str) -> None:
    """Nobody can write there, and nobody asks the hub, of which nothing is needed."""
    found = pod(source)
    (container,) = found["containers"]

    assert mounts(found)["/models/weights"] == {"name": "weights", **volume, "writable": False}
    assert options_of(container)[""] == [folder]
    assert environment_of(container)["HF_HUB_OFFLINE"] == "1"
    assert "/cache/hub" not in mounts(found)


def test_weights_in_a_bucket_are_streamed_with_its_credentials() -> None:
    """Two keys of the Secret, and no others; another service than AWS keeps buckets in the path."""
    s3 = {"uri": "s3://models/small", "secretRef": {"name": "bucket"}, "region": "eu-central-1"}
    container = engine({"s3": {**s3, "endpoint": "https://minio:9000"}})

    assert options_of(container)[""] == ["s3://models/small"]
    assert options_of(container)["--load-format"] == ["runai_streamer"]
    found = {key: value for key, value in environment_of(container).items() if key.startswith(("AWS", "RUNAI"))}
    assert found == {
        "AWS_ACCESS_KEY_ID": {"secretKeyRef": {"name": "bucket", "key": "AWS_ACCESS_KEY_ID"}},
        "AWS_SECRET_ACCESS_KEY": {"secretKeyRef": {"name": "bucket", "key": "AWS_SECRET_ACCESS_KEY"}},
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": "https://minio:9000",
        "AWS_EC2_METADATA_DISABLED": "true",
        "RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING": "0",
    }


def test_bucket_without_a_secret_is_read_as_the_pods_own_identity() -> None:
    """Then the service account's, from the cloud."""
    found = environment_of(engine({"s3": {"uri": "s3://models/small"}}))

    assert not [key for key in found if key.startswith("AWS")]


@pytest.mark.parametrize("place", ["weights", "adapter"])
def test_image_that_the_cluster_cannot_mount_is_refused(place: str) -> None:
    """The error says where it stands and what would be needed."""
    old = replace(FACTS, version=(1, 34))
    adapter = [{"name": "tickets", "source": IMAGE}]
    told = {"source": IMAGE} if place == "weights" else {"source": HUB, "loras": adapter}

    with pytest.raises(PoolError) as error:
        pod(**told, facts=old)

    where = "source.image" if place == "weights" else "loras[0].source.image"
    assert str(error.value) == f"spec.models[0].{where}: needs Kubernetes 1.35 or newer"


def test_adapters_are_loaded_from_wherever_they_are() -> None:
    """All of them at once, as a batch may hold any."""
    loras = [
        {"name": "from-hub", "source": {"huggingFace": {"repo": "org/adapter", "tokenSecretRef": {"name": "hub"}}}},
        {"name": "from-volume", "source": {"pvc": {"claimName": "adapters", "path": "a"}}},
        {"name": "from-image", "source": {"image": {"reference": "registry/adapter:1"}}},
    ]
    found = pod(PVC, loras=loras)
    options = options_of(found["containers"][0])

    assert options["--enable-lora"] == []
    assert options["--max-loras"] == ["3"]
    assert options["--lora-modules"] == [
        "from-hub=org/adapter",
        "from-volume=/models/adapters/1/a",
        "from-image=/models/adapters/2",
    ]
    assert mounts(found).keys() >= {"/models/adapters/1", "/models/adapters/2", "/cache/hub"}
    assert environment_of(found["containers"][0])["HF_TOKEN"] == TOKEN["valueFrom"]
    assert "HF_HUB_OFFLINE" not in environment_of(found["containers"][0])


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (
            {"loras": [{"name": "a", "source": {"huggingFace": {"repo": "o/a", "revision": "b"}}}]},
            "spec.models[0].loras[0].source.huggingFace.revision: must not be set: vLLM takes none for adapters",
        ),
        (
            {"loras": [{"name": "a", "source": {"huggingFace": {"repo": "o/a", "tokenSecretRef": {"name": "other"}}}}]},
            "spec.models[0].loras: must name the same tokenSecretRef as the weights: an engine takes one",
        ),
        (
            {"loras": [{"name": "a", "source": HUB}], "engine": {"type": "Simulator", "kvTokens": 1}},
            "spec.models[0].loras: must be empty: simulator loads none",
        ),
    ],
    ids=["revision", "second token", "simulator"],
)
def test_adapter_that_an_engine_cannot_load_is_refused(fields: dict[str, Any], line: str) -> None:
    """Before any pod is made that would fail."""
    with pytest.raises(PoolError) as error:
        pod({"huggingFace": {"repo": "org/small", "tokenSecretRef": {"name": "hub"}}}, **fields)

    assert str(error.value) == line


def test_caches_are_where_the_pool_wants_them() -> None:
    """A folder of the node, a claim that exists, or one that is made for the model and goes with the pool."""
    template = {"size": "200Gi", "storageClassName": "shared", "accessMode": "ReadWriteOnce"}
    manifests = rendered(
        model(HUB, cache={"weights": {"claimTemplate": template}, "compile": {"pvc": {"claimName": "mine"}}})
    )
    claim = only(manifests, kinds.CLAIM)
    found = mounts(pod_of(only(manifests, kinds.DEPLOYMENT, component=ENGINE)))

    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "200Gi"}},
        "storageClassName": "shared",
    }
    assert found["/cache/hub"]["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    assert found["/cache/compile"]["persistentVolumeClaim"] == {"claimName": "mine"}
    limited = mounts(pod(HUB, cache={"compile": {"emptyDir": {"sizeLimit": "5Gi"}}}))
    assert limited["/cache/compile"]["emptyDir"] == {"sizeLimit": "5Gi"}


def test_no_claim_is_made_for_a_cache_that_nothing_uses() -> None:
    """Weights on a volume need none."""
    template = {"claimTemplate": {"size": "1Gi"}}

    manifests = rendered(model(PVC, cache={"weights": template, "compile": template}))

    assert only(manifests, kinds.CLAIM)["metadata"]["name"].startswith("pool-small-compile-")


def test_everything_that_is_compiled_is_kept_together() -> None:
    """vLLM's, Triton's and FlashInfer's caches are below the one volume."""
    found = environment_of(engine(HUB))

    for variable in ("VLLM_CACHE_ROOT", "TRITON_CACHE_DIR", "FLASHINFER_WORKSPACE_BASE"):
        assert found[variable].startswith("/cache/compile")


def test_shared_memory_grows_with_the_cards() -> None:
    """A container has 64 MiB otherwise, too little for two processes of an engine."""

    def limit(**parallelism: int) -> str:
        found = pod(HUB, parallelism=parallelism, accelerators=[{"class": "nvidia-h100"}])
        memory: dict[str, str] = mounts(found)["/dev/shm"]["emptyDir"]  # noqa: S108 - the pod's own
        assert memory["medium"] == "Memory"
        return memory["sizeLimit"]

    assert (limit(), limit(tensor=4), limit(tensor=2, data=3)) == ("2Gi", "8Gi", "12Gi")


def test_whoever_runs_the_engine_has_a_home_to_write_to() -> None:
    """Libraries ask for it, and for a name; the image may know neither of that user."""
    found = pod(HUB)
    environment = environment_of(found["containers"][0])

    assert mounts(found)[environment["HOME"]] == {"name": "scratch", "emptyDir": {}, "writable": True}
    assert environment["USER"]
