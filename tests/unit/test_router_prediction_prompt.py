"""Whether a bundle is computed on the event loop is decided by what a text takes that nobody has read."""

from pathlib import Path

import pytest

from chimera_bench.chaos import broken_bundles
from chimera_router.prediction.predictor import PROMPT, open_predictor
from chimera_router.scheduling.types import Coefficients, Model

pytestmark = pytest.mark.anyio

MODEL = Model(
    name="m",
    coefficients=Coefficients(
        base_step=0.01, per_sequence=0.0, prefill_per_token=0.0, max_num_seqs=8, kv_tokens=10_000
    ),
)


async def test_a_bundle_whose_text_graph_is_slow_is_computed_in_a_thread(tmp_path: Path) -> None:
    """Readings of one text are kept; so that a text takes long has to be found with texts that differ."""
    broken_bundles.slow("characters", steps=1)(tmp_path / "slow")  # 2 billion operations, 10 times as long at least
    refused: list[Exception] = []

    predictor = open_predictor([MODEL], path=tmp_path / "slow", on_fallback=lambda _: None, on_refused=refused.append)
    await predictor.aclose()

    assert refused == []
    assert PROMPT < 0.005
    assert not predictor.prompt
