"""Whether a model fits into the memory of what it runs on, as far as can be told before it does."""

from dataclasses import dataclass

from chimera_operator.api.accelerators import Accelerator
from chimera_operator.api.model import ModelSpec
from chimera_operator.api.status import Fit, Verdict
from chimera_operator.planning.capacity.cards import memory_gb
from chimera_operator.rendering.coefficients import kv_bytes, weights_gb

UTILIZATION = 0.92
"""Share of a card's memory that vLLM takes unless told otherwise, since 0.33."""

OVERHEAD_GB = 2.0
"""Gigabytes of each card for activations, graphs and CUDA itself: engines report one for models of 7B, and up to three
for those of 70B."""

LORA_SHARE = 0.01
"""An adapter of rank 16, vLLM's greatest unless told otherwise, as a share of its model's weights."""

LEAST_BYTES = 0.5
"""Bytes of a parameter at 4 bits, the least that engines serve: what is too large even so is too large for sure."""

BATCH_TOKENS = 32_768
"""Tokens of a batch that is worth the card: 16 requests of 2,048."""

OFFLOADS = "--cpu-offload-gb"
"""vLLM's flag that puts weights beside the card's memory, so that nothing is too large for sure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Share:
    """What one card has and gives, in gigabytes (10⁹)."""

    cards: int
    memory: float
    usable: float
    weights: float

    @property
    def left(self) -> float:
        """What the KV cache gets."""
        return self.usable - self.weights - OVERHEAD_GB


def fit(model: ModelSpec, accelerator: Accelerator | None) -> Fit:
    """Return whether a replica of a model fits an alternative; without one, on CPUs, nobody can tell."""
    share = _share(model, accelerator) if accelerator else None
    if accelerator is None or share is None:
        return Fit(verdict="Unknown", message=_missing(accelerator))
    tokens = model.engine.kv_tokens or _kv_tokens(model, share)
    return Fit(
        verdict=_verdict(model, share, tokens),
        weights_gb=round(share.weights * share.cards, 1),
        kv_tokens=tokens,
        message=_sentence(model, accelerator, share, tokens),
    )


def too_large(model: ModelSpec, accelerator: Accelerator | None) -> bool:
    """Return whether the weights alone exceed the memory of an alternative for sure."""
    memory = memory_gb(accelerator) if accelerator else None
    least = model.descriptor.weights_gb or LEAST_BYTES * (model.descriptor.parameters_b or 0.0)
    offloads = any(argument.startswith(OFFLOADS) for argument in model.engine.args)
    return memory is not None and not offloads and least > memory * _cards(model)


def _cards(model: ModelSpec) -> int:
    """Return the cards that one copy of the weights spreads over."""
    return model.parallelism.tensor * model.parallelism.pipeline


def _share(model: ModelSpec, accelerator: Accelerator) -> _Share | None:
    memory, descriptor = memory_gb(accelerator), model.descriptor
    if memory is None or not (descriptor.weights_gb or descriptor.parameters_b):
        return None
    weights = weights_gb(descriptor, descriptor.parameters_b or 0.0) * (1 + LORA_SHARE * len(model.loras))
    usable = memory * (model.engine.gpu_memory_utilization or UTILIZATION)
    return _Share(cards=_cards(model), memory=memory, usable=usable, weights=weights / _cards(model))


def _kv_tokens(model: ModelSpec, share: _Share) -> int | None:
    descriptor = model.descriptor
    if not (descriptor.kv_bytes_per_token or descriptor.layers or descriptor.parameters_b):
        return None
    bytes_per_token = kv_bytes(descriptor, descriptor.parameters_b or 0.0)
    if (model.engine.kv_cache_dtype or "").startswith("fp8") and not descriptor.kv_bytes_per_token:
        bytes_per_token //= 2
    return max(0, int(share.left * share.cards * 1e9 / bytes_per_token))


def _verdict(model: ModelSpec, share: _Share, tokens: int | None) -> Verdict:
    if share.left <= 0:
        return "TooLarge"
    if tokens is None:
        return "Unknown"
    if tokens < (model.engine.max_model_len or 1):
        return "TooLarge"
    return "Fits" if tokens >= BATCH_TOKENS else "Tight"


def _missing(accelerator: Accelerator | None) -> str:
    if accelerator is None:
        return "on CPUs the memory is the node's"
    if memory_gb(accelerator) is None:
        return f"the memory of class {accelerator.class_} is not known"
    return "descriptor.weightsGb or descriptor.parametersB would tell"


def _sentence(model: ModelSpec, accelerator: Accelerator, share: _Share, tokens: int | None) -> str:
    whole = f"{share.weights * share.cards:.1f} GB of weights{_assumed(model)}"
    cards = f"{share.cards} x {share.memory:.0f} GB ({accelerator.label})"
    if share.left <= 0:
        needed = (share.weights + OVERHEAD_GB) * share.cards
        return f"{whole} need {needed:.0f} GB with what engines take besides, and {cards} have {_usable(share)}"
    cache = "a KV cache of unknown size" if tokens is None else f"a KV cache of {tokens:,} tokens"
    asked = model.engine.max_model_len or 0
    short = f", less than one request of engine.maxModelLen {asked:,}" if tokens is not None and tokens < asked else ""
    return f"{whole} on {cards} leave {share.left * share.cards:.1f} GB of {_usable(share)} for {cache}{short}"


def _usable(share: _Share) -> str:
    return f"{share.usable * share.cards:.0f} GB usable"


def _assumed(model: ModelSpec) -> str:
    """Return what was assumed of the weights: without descriptor.weightsGb two bytes a parameter."""
    return "" if model.descriptor.weights_gb else " (bf16, unless descriptor.weightsGb says otherwise)"
