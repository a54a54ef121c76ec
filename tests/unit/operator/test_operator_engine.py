"""The command lines that serve a model."""

from typing import Any

import pytest
from pool_documents import model_document, pool_document

from chimera_operator.api.errors import PoolError
from chimera_operator.api.model import ModelSpec
from chimera_operator.api.parse import parse_pool
from chimera_operator.rendering.coefficients import step_time
from chimera_operator.rendering.engine import Serving, hub_or_bucket, simulator_arguments, vllm_arguments
from chimera_operator.rendering.profiles.vllm_0_33 import PROFILE

HUB = {"huggingFace": {"repo": "org/Small-1B", "revision": "abc123"}}
SERVING = Serving(host="127.0.0.1", port=9101, drain_seconds=2)
QUIET = ("--disable-access-log-for-endpoints", "/health,/metrics")


def model(**fields: Any) -> ModelSpec:
    return parse_pool(pool_document(model_document("small", **fields))).spec.models[0]


def vllm(**fields: Any) -> list[str]:
    served = model(**fields)
    weights = hub_or_bucket(served, path="spec.models[0]")
    return vllm_arguments(served, SERVING, profile=PROFILE, weights=weights)


def simulator(served: ModelSpec, *, speed: float = 1.0, seed: int = 0) -> list[str]:
    return simulator_arguments(served, SERVING, time=step_time(served, path="").faster(speed), seed=seed)


def test_vllm_is_started_with_everything_the_pool_says() -> None:
    """Weights, address, names, queue, size and drain, then the user's own arguments."""
    arguments = vllm(
        source=HUB,
        aliases=["tiny"],
        engine={
            "maxNumSeqs": 64,
            "kvTokens": 1,
            "priorityScheduling": True,
            "prefixCaching": False,
            "gpuMemoryUtilization": 0.5,
            "kvCacheDtype": "fp8",
            "args": ["--seed", "3"],
        },
        parallelism={"tensor": 4},
        accelerators=[{"class": "nvidia-h100", "count": 4}],
    )

    assert arguments == [
        *("org/Small-1B", "--revision", "abc123"),
        *("--host", "127.0.0.1", "--port", "9101"),
        *("--served-model-name", "small", "tiny"),
        *("--scheduling-policy", "priority"),
        *("--max-num-seqs", "64"),
        *("--tensor-parallel-size", "4", "--pipeline-parallel-size", "1"),
        *("--shutdown-timeout", "2"),
        *("--gpu-memory-utilization", "0.5", "--kv-cache-dtype", "fp8"),
        "--no-enable-prefix-caching",
        *QUIET,
        *("--seed", "3"),
    ]


@pytest.mark.parametrize(
    ("fields", "argument", "gone"),
    [
        ({"maxModelLen": 4096}, ["--max-model-len", "8k"], ("--max-model-len", "4096")),
        ({"maxModelLen": 4096}, ["--max_model_len=8k"], ("--max-model-len", "4096")),
        ({"maxModelLen": 4096}, ["--max-model", "8k"], ("--max-model-len", "4096")),
        ({"prefixCaching": False}, ["--enable-prefix-caching"], ("--no-enable-prefix-caching",)),
        ({}, ["--disable-access-log-for-endpoints", "/ping"], QUIET),
    ],
    ids=["field", "other spelling", "abbreviation", "negation", "profile"],
)
def test_the_users_argument_takes_the_place_of_ours(
    fields: dict[str, Any], argument: list[str], gone: tuple[str, ...]
) -> None:
    """A flag is there once, with the user's value, however the user spells it."""
    arguments = vllm(source=HUB, engine={"kvTokens": 1, **fields, "args": argument})
    plain = vllm(source=HUB, engine={"kvTokens": 1, **fields})

    assert arguments == [word for word in plain if word not in gone] + argument


def test_the_users_other_arguments_take_nothing_away() -> None:
    """Flags that only begin alike are others."""
    more = ["--kv-cache-dtype-skip-layers", "1", "--no-enable-chunked-prefill", "-O3", "--", "-1"]
    arguments = vllm(source=HUB, engine={"kvTokens": 1, "kvCacheDtype": "fp8", "args": more})

    assert arguments == vllm(source=HUB, engine={"kvTokens": 1, "kvCacheDtype": "fp8"}) + more


def test_without_priority_the_queue_is_first_come_first_served() -> None:
    """Priority scheduling is on only where the pool asks for it."""
    arguments = vllm(source=HUB)

    assert arguments[arguments.index("--scheduling-policy") + 1] == "fcfs"


def test_weights_in_a_bucket_are_streamed() -> None:
    """The loader for s3:// is vLLM's streaming one."""
    assert vllm(source={"s3": {"uri": "s3://models/small"}})[:3] == [
        "s3://models/small",
        "--load-format",
        "runai_streamer",
    ]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (None, "spec.models[0].source: is required for vLLM"),
        (
            {"pvc": {"claimName": "weights"}},
            "spec.models[0].source: must be huggingFace or s3: volumes and images exist in a cluster only",
        ),
        (
            {"image": {"reference": "registry/weights@sha256:0"}},
            "spec.models[0].source: must be huggingFace or s3: volumes and images exist in a cluster only",
        ),
    ],
    ids=["none", "volume", "image"],
)
def test_weights_that_vllm_cannot_reach_are_refused(source: dict[str, Any] | None, line: str) -> None:
    """The error names the source and what would do."""
    with pytest.raises(PoolError) as error:
        vllm(**({"source": source} if source else {}))

    assert str(error.value) == line


def test_the_simulator_is_told_names_limits_and_step_time() -> None:
    """Every alias is served, and lengths are those recorded for the model in the training data."""
    simulated = model(
        aliases=["tiny"],
        engine={"maxNumSeqs": 4, "kvTokens": 1000, "priorityScheduling": True},
        descriptor={"trainedAs": "Small-1B"},
    )

    assert simulator(simulated, speed=2.0, seed=3) == [
        *("--host", "127.0.0.1", "--port", "9101"),
        *("--served-model-name", "small", "--served-model-name", "tiny"),
        *("--scheduling-policy", "priority", "--max-num-seqs", "4", "--kv-tokens", "1000"),
        *("--base-step-ms", "4.0", "--step-per-sequence-us", "15.0", "--prefill-us-per-token", "10.0"),
        *("--startup-delay", "0", "--recorded-as", "Small-1B", "--seed", "3", "--shutdown-timeout", "2"),
    ]


@pytest.mark.parametrize(
    "told", [{"args": ["--no-enable-prefix-caching", "--enforce-eager"]}, {"prefixCaching": False}]
)
def test_the_simulator_obeys_that_no_prefix_is_cached(told: dict[str, Any]) -> None:
    """Of vLLM's own arguments that one; it would refuse the others."""
    arguments = simulator(model(engine={"kvTokens": 1, **told}))

    assert arguments[-1] == "--no-enable-prefix-caching"
    assert "--enforce-eager" not in arguments


def test_the_simulator_takes_recordings_by_the_models_own_name() -> None:
    """Without `trainedAs` the name itself is looked up."""
    arguments = simulator(model())

    assert arguments[arguments.index("--recorded-as") + 1] == "small"
