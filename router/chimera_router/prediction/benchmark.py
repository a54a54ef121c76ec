"""What a prediction costs: `python -m chimera_router.prediction.benchmark [BUNDLE]`.

Sends bursts of equal size through the predictor, its thread and its batches included, for a pool of ten models.
"""

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from chimera_router.prediction.port import Predictor, Query
from chimera_router.prediction.predictor import open_predictor
from chimera_router.scheduling.types import Coefficients, Model

if TYPE_CHECKING:
    from chimera_router.errors import BundleError

BURSTS = (1, 4, 16)  # requests that arrive at once
ROUNDS = 500  # bursts of each size; a few seconds in all

_ENGINE = Coefficients(base_step=0.007, per_sequence=3e-5, prefill_per_token=2e-5, max_num_seqs=256, kv_tokens=500_000)
_MODELS = tuple(
    Model(name=name, coefficients=_ENGINE)
    for name in (
        "CodeLlama-7b-Instruct-hf",
        "CodeLlama-34b-Instruct-hf",
        "CodeQwen1.5-7B-Chat",
        "Llama-2-7b-chat-hf",
        "Llama-2-70b-chat-hf",
        "Meta-Llama-3-8B-Instruct",
        "Meta-Llama-3-70B-Instruct",
        "Qwen1.5-72B-Chat",
        "gpt-4o",
        "vicuna-13b-v1.5",
    )
)
_QUERY = Query(
    text="Write a function to find the longest run of equal elements in a list of numbers. "
    "assert longest_run([1, 1, 2, 2, 2, 3]) == 3\n" * 4,
    prompt_tokens=900,
    stage=1,
    tokens_so_far=150,
    last_tokens=150,
    largest_tokens=150,
    last_text="Observation: AssertionError\n" * 20 + "You have 4 steps left and 2 chances to propose solution left.",
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m chimera_router.prediction.benchmark", description=__doc__)
    parser.add_argument("bundle", type=Path, nargs="?", metavar="BUNDLE", help="folder; default: the package's own")
    arguments = parser.parse_args()
    sys.exit(asyncio.run(_measure(arguments.bundle)))


async def _measure(bundle: Path | None) -> str | None:
    refused: list[BundleError] = []
    fallbacks: list[str] = []
    predictor = open_predictor(_MODELS, path=bundle, on_fallback=fallbacks.append, on_refused=refused.append)
    if refused:
        return str(refused[0])
    for size in BURSTS:
        seconds = sorted([await _burst(predictor, size) for _ in range(ROUNDS)])
        p50, p99 = statistics.median(seconds) * 1e6, seconds[len(seconds) * 99 // 100] * 1e6
        sys.stdout.write(f"burst of {size:2}: p50 {p50:6.0f} us, p99 {p99:6.0f} us, {p50 / size:5.0f} us a request\n")
    sys.stdout.write(f"answered by running medians: {len(fallbacks)}\n")
    await predictor.aclose()
    return None


async def _burst(predictor: Predictor, size: int) -> float:
    started = time.perf_counter()
    await asyncio.gather(*(predictor.predict(_QUERY) for _ in range(size)))
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
