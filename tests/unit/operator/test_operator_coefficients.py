"""The estimate of an engine's step time against the figures it was fitted to."""

from typing import Any

import pytest
from pool_documents import COEFFICIENTS, pool_document

from chimera_operator.api.errors import PoolError
from chimera_operator.api.parse import parse_pool
from chimera_operator.rendering.coefficients import StepTime, step_time

LLAMA_3_8B = {"parametersB": 8, "layers": 32, "kvBytesPerToken": 131_000}
H100 = [{"class": "nvidia-h100"}]


def estimate(**fields: Any) -> StepTime:
    pool = parse_pool(pool_document({"name": "m", **fields}))
    return step_time(pool.spec.models[0], path="spec.models[0]")


@pytest.mark.parametrize(
    ("accelerator", "weights", "layers", "milliseconds"),
    [
        ("nvidia-rtx-a6000", 15.2, 28, 21.9),
        ("nvidia-a100-80gb", 15.2, 28, 10.0),
        ("nvidia-h100", 15.2, 28, 7.2),
        ("nvidia-h200", 15.2, 28, 5.3),
        ("nvidia-rtx-a6000", 3.1, 28, 5.3),
        ("nvidia-h100", 6.2, 36, 3.8),
        ("nvidia-a100-80gb", 29.5, 48, 19.0),
        ("nvidia-h200", 29.5, 48, 10.0),
    ],
)
def test_a_step_takes_what_the_published_fits_say(
    accelerator: str, weights: float, layers: int, milliseconds: float
) -> None:
    """Qwen2.5 of 1.5B to 14B on four cards, within 2 % of the table the constants come from."""
    descriptor = {"parametersB": weights / 2, "layers": layers}
    time = estimate(accelerators=[{"class": accelerator}], descriptor=descriptor)

    assert time.base_step_ms == pytest.approx(milliseconds, rel=0.02)


@pytest.mark.parametrize(
    ("descriptor", "tensor", "expected"),
    [
        (LLAMA_3_8B, 1, (7.65, 30.2, 21.6, 427_480)),
        ({"parametersB": 7.25, "layers": 32, "kvBytesPerToken": 65_000}, 1, (7.04, 27.8, 19.7, 884_615)),
        ({"parametersB": 70.5, "layers": 80, "kvBytesPerToken": 328_000}, 4, (17.8, 63.0, 47.7, 448_170)),
    ],
    ids=["Llama-3-8B", "CodeQwen1.5-7B", "Llama-3-70B on four"],
)
def test_the_yardstick_pools_come_out(
    descriptor: dict[str, Any], tensor: int, expected: tuple[float, float, float, int]
) -> None:
    """The benches' pools were made with this formula: within one percent of their coefficients."""
    cards = [{"class": "nvidia-h100", "count": tensor}]
    time = estimate(accelerators=cards, descriptor=descriptor, parallelism={"tensor": tensor})

    figures = (time.base_step_ms, time.step_per_sequence_us, time.prefill_us_per_token, time.kv_tokens)
    assert figures == pytest.approx(expected, rel=0.01)


def test_layers_and_cache_are_estimated_from_the_parameters_alone() -> None:
    """Without layers and bytes a token, Llama-3-8B's step is within 5 % and its cache within a quarter."""
    known = estimate(accelerators=H100, descriptor=LLAMA_3_8B)
    guessed = estimate(accelerators=H100, descriptor={"parametersB": 8})

    assert guessed.base_step_ms == pytest.approx(known.base_step_ms, rel=0.05)
    assert guessed.kv_tokens == pytest.approx(known.kv_tokens, rel=0.25)


def test_explicit_coefficients_win() -> None:
    """What was measured is taken as it is, also where an estimate would be possible."""
    time = estimate(accelerators=H100, descriptor=LLAMA_3_8B, coefficients=COEFFICIENTS, engine={"kvTokens": 7})

    assert (time.base_step_ms, time.step_per_sequence_us, time.prefill_us_per_token, time.kv_tokens) == (8, 30, 20, 7)


def test_quantized_weights_are_read_faster_and_leave_more_cache() -> None:
    """`weightsGb` says what the card really reads."""
    full = estimate(accelerators=H100, descriptor=LLAMA_3_8B)
    quantized = estimate(accelerators=H100, descriptor={**LLAMA_3_8B, "weightsGb": 8})

    assert quantized.base_step_ms < full.base_step_ms
    assert quantized.kv_tokens > full.kv_tokens


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "spec.models[0].accelerators: is required unless coefficients and engine.kvTokens are given"),
        (
            {"accelerators": H100},
            "spec.models[0].descriptor.parametersB: is required unless coefficients and engine.kvTokens are given",
        ),
        (
            {"coefficients": COEFFICIENTS},
            "spec.models[0].accelerators: is required unless coefficients and engine.kvTokens are given",
        ),
        (
            {"accelerators": [{"class": "abacus"}], "descriptor": LLAMA_3_8B},
            (
                "spec.models[0].accelerators[0].class: has no profile, give coefficients and engine.kvTokens; "
                "profiles: nvidia-h200, nvidia-h100, nvidia-a100-80gb, nvidia-rtx-a6000, nvidia-a40"
            ),
        ),
        (
            {"accelerators": H100, "descriptor": {"parametersB": 70.6}},
            "spec.models[0].parallelism: weights of 141 GB do not fit the 72 GB usable of 1 x nvidia-h100",
        ),
    ],
    ids=["nothing", "no size", "no cache", "unknown card", "too large"],
)
def test_what_cannot_be_estimated_is_asked_for(fields: dict[str, Any], line: str) -> None:
    """The error names what is missing and where."""
    with pytest.raises(PoolError) as error:
        estimate(**fields)

    assert str(error.value) == line
