"""The command lines that serve a model."""

from typing import Any

import pytest
from pool_documents import model_document, pool_document

from chimera_operator.api.errors import PoolError
from chimera_operator.api.model import ModelSpec
from chimera_operator.api.parse import parse_pool
from chimera_operator.rendering.coefficients import step_time
from chimera_operator.rendering.engine import simulator_command, vllm_command, vllm_env

HUB = {"huggingFace": {"repo": "org/Small-1B", "revision": "abc123"}}


def model(**fields: Any) -> ModelSpec:
    return parse_pool(pool_document(model_document("small", **fields))).spec.models[0]


def vllm(**fields: Any) -> list[str]:
    return vllm_command(model(**fields), host="127.0.0.1", port=9101, path="spec.models[0]", drain_seconds=2)


def test_vllm_is_started_with_everything_the_pool_says() -> None:
    """Weights, address, names, queue, size and drain, then the user's own arguments."""
    command = vllm(
        source=HUB,
        aliases=["tiny"],
        engine={"maxNumSeqs": 64, "kvTokens": 1, "priorityScheduling": True, "args": ["--max-model-len", "4096"]},
        parallelism={"tensor": 4},
        accelerators=[{"class": "nvidia-h100", "count": 4}],
    )

    assert command == [
        *("vllm", "serve", "org/Small-1B", "--revision", "abc123"),
        *("--host", "127.0.0.1", "--port", "9101"),
        *("--served-model-name", "small", "tiny"),
        *("--scheduling-policy", "priority"),
        *("--max-num-seqs", "64"),
        *("--tensor-parallel-size", "4", "--pipeline-parallel-size", "1", "--data-parallel-size", "1"),
        *("--shutdown-timeout", "2"),
        *("--max-model-len", "4096"),
    ]


def test_typed_fields_that_are_set_are_flags() -> None:
    """They come before the user's own arguments, which so win; what is unset is left to the engine."""
    fields = {"maxModelLen": 4096, "gpuMemoryUtilization": 0.8, "kvCacheDtype": "fp8", "prefixCaching": False}
    command = vllm(source=HUB, engine={"kvTokens": 1, **fields, "args": ["--max-model-len", "8192"]})

    assert command[command.index("--max-model-len") :] == [
        *("--max-model-len", "4096"),
        *("--gpu-memory-utilization", "0.8"),
        *("--kv-cache-dtype", "fp8"),
        "--no-enable-prefix-caching",
        *("--max-model-len", "8192"),
    ]


def test_without_priority_the_queue_is_first_come_first_served() -> None:
    """Priority scheduling is on only where the pool asks for it."""
    command = vllm(source=HUB)

    assert command[command.index("--scheduling-policy") + 1] == "fcfs"


def test_weights_in_a_bucket_are_streamed() -> None:
    """The loader for s3:// is vLLM's streaming one."""
    assert vllm(source={"s3": {"uri": "s3://models/small"}})[2:5] == [
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


def test_the_users_environment_wins() -> None:
    """Variables of the pool replace the profile's."""
    env = vllm_env(model(engine={"kvTokens": 1, "env": [{"name": "VLLM_NO_USAGE_STATS", "value": "0"}]}))

    assert env["VLLM_NO_USAGE_STATS"] == "0"
    assert "VLLM_HTTP_TIMEOUT_KEEP_ALIVE" in env


def test_variable_from_elsewhere_is_left_to_the_environment() -> None:
    """A Secret exists in a cluster; on one machine the variable comes from whoever starts the pool."""
    source = {"secretKeyRef": {"name": "hub", "key": "token"}}
    env = vllm_env(model(engine={"kvTokens": 1, "env": [{"name": "HF_TOKEN", "valueFrom": source}]}))

    assert "HF_TOKEN" not in env


def test_the_simulator_is_told_names_limits_and_step_time() -> None:
    """Every alias is served, and lengths are those recorded for the model in the training data."""
    simulated = model(
        aliases=["tiny"],
        engine={"maxNumSeqs": 4, "kvTokens": 1000, "priorityScheduling": True},
        descriptor={"trainedAs": "Small-1B"},
    )
    time = step_time(simulated, path="spec.models[0]").faster(2.0)

    assert simulator_command(simulated, time, host="127.0.0.1", port=9101, seed=3) == [
        *("-m", "chimera_bench.engine", "--host", "127.0.0.1", "--port", "9101"),
        *("--served-model-name", "small", "--served-model-name", "tiny"),
        *("--scheduling-policy", "priority", "--max-num-seqs", "4", "--kv-tokens", "1000"),
        *("--base-step-ms", "4.0", "--step-per-sequence-us", "15.0", "--prefill-us-per-token", "10.0"),
        *("--startup-delay", "0", "--recorded-as", "Small-1B", "--seed", "3"),
    ]


def test_the_simulator_obeys_that_no_prefix_is_cached() -> None:
    """Of vLLM's own arguments that one; it would refuse the others."""
    bare = model(engine={"kvTokens": 1, "args": ["--no-enable-prefix-caching", "--enforce-eager"]})
    command = simulator_command(bare, step_time(bare, path=""), host="::1", port=1, seed=0)

    assert command[-1] == "--no-enable-prefix-caching"
    assert "--enforce-eager" not in command

    typed = model(engine={"kvTokens": 1, "prefixCaching": False})
    assert simulator_command(typed, step_time(typed, path=""), host="::1", port=1, seed=0)[-1] == command[-1]


def test_the_simulator_takes_recordings_by_the_models_own_name() -> None:
    """Without `trainedAs` the name itself is looked up."""
    plain = model()
    command = simulator_command(plain, step_time(plain, path=""), host="::1", port=1, seed=0)

    assert command[command.index("--recorded-as") + 1] == "small"
