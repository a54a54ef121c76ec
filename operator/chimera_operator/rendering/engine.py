"""From a model to the command line of its engine."""

from chimera_operator.api.engine import Engine
from chimera_operator.api.errors import PoolError
from chimera_operator.api.model import ModelSpec
from chimera_operator.rendering.coefficients import StepTime

VLLM_ENV = {
    "VLLM_NO_USAGE_STATS": "1",
    # Seconds; above the gateway's idle time, else the engine closes a connection just as it is used again.
    "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "300",
}


NO_PREFIX_CACHING = "--no-enable-prefix-caching"
"""vLLM's flag; the one of its own arguments that the simulator obeys too."""


def simulator_command(model: ModelSpec, time: StepTime, *, host: str, port: int, seed: int) -> list[str]:
    """Return the arguments after the Python program that simulate a model's engine."""
    return [
        *("-m", "chimera_bench.engine", "--host", host, "--port", str(port)),
        *(word for name in _served_names(model) for word in ("--served-model-name", name)),
        *("--scheduling-policy", _scheduling_policy(model)),
        *("--max-num-seqs", str(time.max_num_seqs)),
        *("--kv-tokens", str(time.kv_tokens)),
        *("--base-step-ms", str(time.base_step_ms)),
        *("--step-per-sequence-us", str(time.step_per_sequence_us)),
        *("--prefill-us-per-token", str(time.prefill_us_per_token)),
        *("--startup-delay", "0"),
        *("--recorded-as", model.descriptor.trained_as or model.name),
        *("--seed", str(seed)),
        *((NO_PREFIX_CACHING,) if NO_PREFIX_CACHING in (*_optional_flags(model.engine), *model.engine.args) else ()),
    ]


def vllm_command(model: ModelSpec, *, host: str, port: int, path: str, drain_seconds: int) -> list[str]:
    """Return the command line that serves a model with vLLM; the user's own arguments come last and so win.

    Args:
        model: The model.
        host: Address to listen on.
        port: Port to listen on.
        path: Where the model stands in the document, for the error.
        drain_seconds: Time requests in flight get to finish at the end.

    Raises:
        PoolError: The model's weights cannot be named to vLLM.
    """
    return [
        *("vllm", "serve", *_weights(model, path)),
        *("--host", host, "--port", str(port)),
        *("--served-model-name", *_served_names(model)),
        *("--scheduling-policy", _scheduling_policy(model)),
        *("--max-num-seqs", str(model.engine.max_num_seqs)),
        *("--tensor-parallel-size", str(model.parallelism.tensor)),
        *("--pipeline-parallel-size", str(model.parallelism.pipeline)),
        *("--data-parallel-size", str(model.parallelism.data)),
        *("--shutdown-timeout", str(drain_seconds)),
        *_optional_flags(model.engine),
        *model.engine.args,
    ]


def vllm_env(model: ModelSpec) -> dict[str, str]:
    """Return the environment of a vLLM engine; the user's own variables win, where the document has their values."""
    return VLLM_ENV | {variable.name: variable.value for variable in model.engine.env if variable.value is not None}


def _served_names(model: ModelSpec) -> list[str]:
    """Return the names the engine answers to; the first labels its metrics and its replies."""
    return [model.name, *model.aliases]


def _optional_flags(engine: Engine) -> list[str]:
    """Return the flags of fields that are set; of others the engine has its own default."""
    given = {
        "--max-model-len": engine.max_model_len,
        "--gpu-memory-utilization": engine.gpu_memory_utilization,
        "--kv-cache-dtype": engine.kv_cache_dtype,
    }
    flags = [word for flag, value in given.items() if value is not None for word in (flag, str(value))]
    return flags if engine.prefix_caching else [*flags, NO_PREFIX_CACHING]


def _scheduling_policy(model: ModelSpec) -> str:
    return "priority" if model.engine.priority_scheduling else "fcfs"


def _weights(model: ModelSpec, path: str) -> list[str]:
    match model.source:
        case None:
            raise PoolError(f"{path}.source", "is required for vLLM")
        case source if hub := source.hugging_face:
            return [hub.repo, *(("--revision", hub.revision) if hub.revision else ())]
        case source if source.s3:
            return [source.s3.uri, "--load-format", "runai_streamer"]
        case _:
            raise PoolError(f"{path}.source", "must be huggingFace or s3: volumes and images exist in a cluster only")
