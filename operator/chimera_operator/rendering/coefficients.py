"""How long an engine's steps take, estimated from the accelerator and what is known of the model.

The form is BLIS inference-sim's (Apache-2.0): a decode step reads the weights once, pays a fixed cost a layer, and
grows by what each sequence adds. The constants are fitted to its published coefficients, to Vidur's kernel profiles
and, for the A6000, to measurements with vLLM 0.23; a step of few sequences comes out within a few percent of those.
What a sequence adds is poorly identified there (fits of one model differ by half): a shared yardstick, no measurement.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chimera_operator.api.errors import PoolError
from chimera_operator.api.model import Descriptor, ModelSpec

LAYER_MS = 0.032  # milliseconds of launches and normalisation a layer takes, whatever its size
STEP_MS = 0.13  # milliseconds a step takes for scheduling
ALL_REDUCE_MS = 0.01  # milliseconds a layer takes to exchange activations between tensor-parallel cards
SEQUENCE_US = 3.0  # microseconds a sequence takes for sampling and book-keeping
USABLE_MEMORY = 0.9  # share of a card's memory an engine takes for weights and KV cache
BYTES_PER_PARAMETER = 2.0  # bf16
KV_BYTES_PER_LAYER = 4096  # keys and values of 8 heads × 128 in bf16: what models of 7B and more have mostly settled on
ASPECT_RATIO = 110.0  # hidden size over layers; 102 to 128 in the Llama 3 family


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorProfile:
    """What a card can do.

    Attributes:
        memory_gb: Gigabytes (10⁹) of memory.
        bandwidth_tb_s: Terabytes (10¹²) a second from memory.
        read_factor: How much longer reading the weights takes than the bandwidth says.
        decode_us: Microseconds a sequence adds to a step for every billion parameters.
        prefill_us: Microseconds a prompt token takes for every billion parameters.
    """

    memory_gb: float
    bandwidth_tb_s: float
    read_factor: float
    decode_us: float
    prefill_us: float


PROFILES: Mapping[str, AcceleratorProfile] = {
    "nvidia-h200": AcceleratorProfile(
        memory_gb=141, bandwidth_tb_s=4.8, read_factor=1.36, decode_us=3.4, prefill_us=2.7
    ),
    "nvidia-h100": AcceleratorProfile(
        memory_gb=80, bandwidth_tb_s=3.35, read_factor=1.36, decode_us=3.4, prefill_us=2.7
    ),
    "nvidia-a100-80gb": AcceleratorProfile(
        memory_gb=80, bandwidth_tb_s=2.039, read_factor=1.2, decode_us=7.5, prefill_us=8.1
    ),
    "nvidia-rtx-a6000": AcceleratorProfile(
        memory_gb=48, bandwidth_tb_s=0.768, read_factor=1.05, decode_us=14.5, prefill_us=16.2
    ),
    "nvidia-a40": AcceleratorProfile(
        memory_gb=48, bandwidth_tb_s=0.696, read_factor=1.05, decode_us=15.7, prefill_us=16.2
    ),
}
"""Memory and bandwidth from NVIDIA's data sheets, the factors from the fits named above.

`chimera bench validate` shows how the A6000's meet what was measured on it; there the prefills between the
steps are counted apart from what a sequence adds to one.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """Step time of one engine: a decode step with b sequences takes base + per sequence × b."""

    base_step_ms: float
    step_per_sequence_us: float
    prefill_us_per_token: float
    max_num_seqs: int
    kv_tokens: int

    def faster(self, speed: float) -> "StepTime":
        """Return the same engine with every time divided by `speed`."""
        return replace(
            self,
            base_step_ms=self.base_step_ms / speed,
            step_per_sequence_us=self.step_per_sequence_us / speed,
            prefill_us_per_token=self.prefill_us_per_token / speed,
        )


def step_time(model: ModelSpec, *, path: str) -> StepTime:
    """Return a model's step time: its explicit coefficients where given, else the estimate.

    Args:
        model: The model.
        path: Where the model stands in the document, for the error.

    Raises:
        PoolError: Neither coefficients nor a known accelerator and the model's size are given, or the weights do not
            fit.
    """
    kv_tokens = model.engine.kv_tokens or _kv_tokens(model, path)
    if given := model.coefficients:
        base, per_sequence, prefill = given.base_step_ms, given.step_per_sequence_us, given.prefill_us_per_token
    else:
        base, per_sequence, prefill = _estimate(model, path)
    return StepTime(
        base_step_ms=base,
        step_per_sequence_us=per_sequence,
        prefill_us_per_token=prefill,
        max_num_seqs=model.engine.max_num_seqs,
        kv_tokens=kv_tokens,
    )


def kv_cache_bytes(model: ModelSpec) -> int | None:
    """Return the bytes of the KV cache that a model asks for; None where it asks for none, or its size is not known."""
    tokens, parameters = model.engine.kv_tokens, model.descriptor.parameters_b
    if tokens is None or (parameters is None and model.descriptor.kv_bytes_per_token is None):
        return None
    return tokens * kv_bytes(model.descriptor, parameters or 0.0)


def _estimate(model: ModelSpec, path: str) -> tuple[float, float, float]:
    card, parameters = _profile(model, path), _parameters(model, path)
    tensor, layers = model.parallelism.tensor, _layers(model.descriptor, parameters)
    read_ms = card.read_factor * weights_gb(model.descriptor, parameters) / (card.bandwidth_tb_s * tensor)
    exchange_ms = ALL_REDUCE_MS * layers if tensor > 1 else 0.0
    base_step_ms = read_ms + LAYER_MS * layers + exchange_ms + STEP_MS
    return (
        base_step_ms,
        card.decode_us * parameters / tensor + SEQUENCE_US,
        card.prefill_us * parameters / tensor,
    )


def _kv_tokens(model: ModelSpec, path: str) -> int:
    card, parameters = _profile(model, path), _parameters(model, path)
    cards = model.parallelism.tensor * model.parallelism.pipeline
    weights = weights_gb(model.descriptor, parameters)
    usable = USABLE_MEMORY * card.memory_gb * cards
    tokens = int((usable - weights) * 1e9 / kv_bytes(model.descriptor, parameters))
    if tokens < 1:
        rule = f"weights of {weights:.0f} GB do not fit the {usable:.0f} GB usable of {cards} x {_class(model)}"
        raise PoolError(f"{path}.parallelism", rule)
    return tokens


def _profile(model: ModelSpec, path: str) -> AcceleratorProfile:
    if not model.accelerators:
        raise PoolError(f"{path}.accelerators", "is required unless coefficients and engine.kvTokens are given")
    if _class(model) not in PROFILES:
        rule = f"has no profile, give coefficients and engine.kvTokens; profiles: {', '.join(PROFILES)}"
        raise PoolError(f"{path}.accelerators[0].class", rule)
    return PROFILES[_class(model)]


def _class(model: ModelSpec) -> str:
    return model.accelerators[0].class_


def _parameters(model: ModelSpec, path: str) -> float:
    if model.descriptor.parameters_b is None:
        rule = "is required unless coefficients and engine.kvTokens are given"
        raise PoolError(f"{path}.descriptor.parametersB", rule)
    return model.descriptor.parameters_b


def weights_gb(descriptor: Descriptor, parameters_b: float) -> float:
    """Return the gigabytes (10⁹) of a model's weights."""
    return descriptor.weights_gb or BYTES_PER_PARAMETER * parameters_b


def _layers(descriptor: Descriptor, parameters_b: float) -> int:
    """Return the layers, where not given from parameters ≈ 12 × layers × hidden² (Kaplan et al., arXiv 2001.08361)."""
    return descriptor.layers or max(1, round((parameters_b * 1e9 / (12 * ASPECT_RATIO**2)) ** (1 / 3)))


def kv_bytes(descriptor: Descriptor, parameters_b: float) -> int:
    """Return the bytes that one token takes in the KV cache."""
    return descriptor.kv_bytes_per_token or KV_BYTES_PER_LAYER * _layers(descriptor, parameters_b)
