"""Whether models fit into the memory of cards."""

from typing import Any

import pytest

from chimera_operator.api.accelerators import Accelerator
from chimera_operator.api.model import ModelSpec
from chimera_operator.planning.capacity.fit import fit, too_large


def model(tensor: int = 1, args: tuple[str, ...] = (), **fields: Any) -> ModelSpec:
    """Return a model with the descriptor's and the engine's fields."""
    engine = {key: fields.pop(key) for key in ("maxModelLen", "kvTokens", "gpuMemoryUtilization") if key in fields}
    loras = fields.pop("loras", ())
    return ModelSpec.model_validate(
        {
            "name": "m",
            "parallelism": {"tensor": tensor},
            "engine": {"args": args, **engine},
            "descriptor": fields,
            "loras": loras,
        }
    )


def card(name: str = "nvidia-h100") -> Accelerator:
    return Accelerator.model_validate({"class": name})


def test_a_model_that_fits_tells_its_cache() -> None:
    """An 8B model on 80 GB: 16 GB of weights, and what is left at 131,072 bytes a token."""
    found = fit(model(parametersB=8, layers=32), card())

    assert (found.verdict, found.weights_gb) == ("Fits", 16.0)
    assert found.kv_tokens == int((80 * 0.92 - 16 - 2) * 1e9 / (4096 * 32))
    assert "16.0 GB of weights" in found.message
    assert "1 x 80 GB (nvidia-h100)" in found.message


def test_weights_that_are_given_win_over_parameters() -> None:
    """A model of 70B in four bits fits a card that its size in bf16 would not."""
    assert fit(model(parametersB=70), card()).verdict == "TooLarge"
    assert fit(model(parametersB=70, weightsGb=38), card()).verdict == "Fits"


def test_tensor_parallel_cards_share_the_weights() -> None:
    """140 GB on four cards of 80 GB."""
    found = fit(model(4, parametersB=70), card())

    assert (found.verdict, found.weights_gb) == ("Fits", 140.0)


def test_little_room_for_a_batch_is_tight() -> None:
    """Weights of 70 GB leave 1.6 GB of an H100: some thousand tokens."""
    found = fit(model(parametersB=35, weightsGb=70), card())

    assert found.verdict == "Tight"
    assert found.kv_tokens
    assert found.kv_tokens < 32_768


def test_a_cache_smaller_than_one_request_is_too_little() -> None:
    """An engine would not start with a maxModelLen that it cannot hold."""
    found = fit(model(parametersB=35, weightsGb=70, maxModelLen=131_072), card())

    assert found.verdict == "TooLarge"
    assert "less than one request of engine.maxModelLen 131,072" in found.message


def test_figures_that_are_missing_are_named() -> None:
    """Nothing is guessed from nothing."""
    assert fit(model(), card()).verdict == "Unknown"
    assert "descriptor.weightsGb" in fit(model(), card()).message
    assert "some-card" in fit(model(parametersB=8), card("some-card")).message
    assert fit(model(parametersB=8), None).verdict == "Unknown"


def test_weights_without_parameters_tell_no_cache() -> None:
    """What a token takes is not known, so neither is the verdict; but that weights are too large is."""
    assert fit(model(weightsGb=16), card()).verdict == "Unknown"
    assert fit(model(weightsGb=100), card()).verdict == "TooLarge"


def test_a_cache_that_is_given_is_taken_at_its_word() -> None:
    """What kvTokens says is what somebody measured."""
    assert fit(model(parametersB=8, kvTokens=50_000), card()).kv_tokens == 50_000


def test_an_engine_that_takes_less_memory_holds_less() -> None:
    """By engine.gpuMemoryUtilization, and by every adapter."""
    whole = fit(model(parametersB=8), card()).kv_tokens
    half = fit(model(parametersB=8, gpuMemoryUtilization=0.5), card()).kv_tokens
    adapters = ({"name": "a", "source": {"huggingFace": {"repo": "x/y"}}},)

    assert whole
    assert half
    assert half < whole
    assert (fit(model(parametersB=8, loras=adapters), card()).kv_tokens or 0) < whole


@pytest.mark.parametrize(
    ("fields", "sure"),
    [
        ({"weightsGb": 81}, True),
        ({"weightsGb": 79}, False),
        ({"parametersB": 70}, False),
        ({"parametersB": 170}, True),
        ({"parametersB": 170, "weightsGb": 60}, False),
        ({}, False),
    ],
    ids=["given", "given and fits", "bf16 would not, 4 bits do", "not even 4 bits", "pruned", "nothing known"],
)
def test_only_what_is_sure_is_refused(fields: dict[str, float], *, sure: bool) -> None:
    """Estimates warn; an over-strict one would keep out what runs."""
    assert too_large(model(**fields), card()) is sure


def test_offloaded_weights_are_never_too_large_for_sure() -> None:
    """The engine keeps part of them beside the card."""
    assert not too_large(model(args=("--cpu-offload-gb=40",), weightsGb=100), card())


def test_nothing_is_too_large_for_what_nobody_knows() -> None:
    """Neither for CPUs nor for a class without a memory."""
    assert not too_large(model(weightsGb=1000), None)
    assert not too_large(model(weightsGb=1000), card("some-card"))


def test_all_cards_of_a_replica_together_carry_it() -> None:
    """Two cards of 80 GB carry 120 GB."""
    assert too_large(model(weightsGb=120), card())
    assert not too_large(model(2, weightsGb=120), card())
