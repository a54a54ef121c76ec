"""From a model to the command line of its engine."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chimera_operator.api.errors import PoolError
from chimera_operator.api.model import ModelSpec
from chimera_operator.rendering.coefficients import StepTime
from chimera_operator.rendering.flags import Flag, command_line
from chimera_operator.rendering.profiles.types import EngineProfile

NO_PREFIX_CACHING = "--no-enable-prefix-caching"
"""vLLM's flag; the one of its own arguments that the simulator obeys too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How an engine's process listens and ends.

    Attributes:
        host: Address to listen on.
        port: Port to listen on.
        drain_seconds: What requests in flight get to finish at the end.
    """

    host: str
    port: int
    drain_seconds: int


def vllm_arguments(
    model: ModelSpec, serving: Serving, *, profile: EngineProfile, weights: Iterable[Flag], more: Iterable[Flag] = ()
) -> list[str]:
    """Return the arguments with which vLLM serves a model.

    The user's own win over those of the pool's fields, these over the profile's.

    Args:
        model: The model.
        serving: How it listens and ends.
        profile: The version of vLLM.
        weights: Where they are: first what vLLM calls the model, then flags.
        more: Flags besides, such as those of adapters.
    """
    (name, *_), *flags = weights
    ours = (*flags, *_flags(model, serving, profile), *more)
    given = {flag for flag, *_ in ours}
    defaults = ((flag, value) for flag, value in profile.flags.items() if flag not in given)
    return [name, *command_line((*ours, *defaults), model.engine.args)]


def simulator_arguments(model: ModelSpec, serving: Serving, *, time: StepTime, seed: int) -> list[str]:
    """Return the arguments of the simulator of a model's engine.

    Args:
        model: The model.
        serving: How it listens and ends.
        time: How long its steps take.
        seed: Of the lengths that it draws.
    """
    return [
        *("--host", serving.host, "--port", str(serving.port)),
        *(word for name in served_names(model) for word in ("--served-model-name", name)),
        *("--scheduling-policy", _scheduling_policy(model)),
        *("--max-num-seqs", str(time.max_num_seqs)),
        *("--kv-tokens", str(time.kv_tokens)),
        *("--base-step-ms", str(time.base_step_ms)),
        *("--step-per-sequence-us", str(time.step_per_sequence_us)),
        *("--prefill-us-per-token", str(time.prefill_us_per_token)),
        *("--startup-delay", "0"),
        *("--recorded-as", model.descriptor.trained_as or model.name),
        *("--seed", str(seed)),
        *("--shutdown-timeout", str(serving.drain_seconds)),
        *(() if _caches_prefixes(model) else (NO_PREFIX_CACHING,)),
    ]


def hub_or_bucket(model: ModelSpec, *, path: str) -> list[Flag]:
    """Return how vLLM finds the weights of a model where no volumes are.

    Args:
        model: The model.
        path: Where the model stands in the document, for the error.

    Raises:
        PoolError: They are nowhere, or on a volume.
    """
    match model.source:
        case None:
            raise PoolError(f"{path}.source", "is required for vLLM")
        case source if hub := source.hugging_face:
            return [(hub.repo,), *([("--revision", hub.revision)] if hub.revision else [])]
        case source if source.s3:
            return [(source.s3.uri,), ("--load-format", "runai_streamer")]
        case _:
            raise PoolError(f"{path}.source", "must be huggingFace or s3: volumes and images exist in a cluster only")


def served_names(model: ModelSpec) -> list[str]:
    """Return the names the engine answers to; the first labels its metrics and its replies."""
    return [model.name, *model.aliases]


def _flags(model: ModelSpec, serving: Serving, profile: EngineProfile) -> Iterator[Flag]:
    yield from (("--host", serving.host), ("--port", str(serving.port)))
    yield ("--served-model-name", *served_names(model))
    yield ("--scheduling-policy", _scheduling_policy(model))
    yield ("--max-num-seqs", str(model.engine.max_num_seqs))
    yield ("--tensor-parallel-size", str(model.parallelism.tensor))
    yield ("--pipeline-parallel-size", str(model.parallelism.pipeline))
    yield (profile.shutdown_flag, str(serving.drain_seconds))
    yield from _optional_flags(model)


def _optional_flags(model: ModelSpec) -> Iterator[Flag]:
    """Yield the flags of fields that are set; of others the engine has its own default."""
    given = {
        "--max-model-len": model.engine.max_model_len,
        "--gpu-memory-utilization": model.engine.gpu_memory_utilization,
        "--kv-cache-dtype": model.engine.kv_cache_dtype,
    }
    yield from ((flag, str(value)) for flag, value in given.items() if value is not None)
    if not model.engine.prefix_caching:
        yield (NO_PREFIX_CACHING,)


def _caches_prefixes(model: ModelSpec) -> bool:
    return model.engine.prefix_caching and NO_PREFIX_CACHING not in model.engine.args


def _scheduling_policy(model: ModelSpec) -> str:
    return "priority" if model.engine.priority_scheduling else "fcfs"
