from random import Random

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chimera_training.ensemble import HIGH, MEDIAN, Sample
from chimera_training.export import TOLERANCE, tree_graph
from chimera_training.features import GRID, Floats
from chimera_training.forest import fit_forest, leaf_quantiles

FEATURES = 3
CALLS = 200

LOGS = st.floats(0.0, 12.0)  # log(1 + tokens)
GRIDDED = st.integers(-20 * GRID, 20 * GRID).map(lambda steps: steps / GRID)
IN_LEAVES = st.lists(st.tuples(st.integers(0, 4), LOGS), min_size=1, max_size=60)


@given(IN_LEAVES, st.floats(0.0, 1.0))
def test_a_leafs_quantile_is_numpys(calls: list[tuple[int, float]], quantile: float) -> None:
    """For every leaf that has targets."""
    leaf, target = (np.array(column) for column in zip(*calls, strict=True))

    found = leaf_quantiles(target, leaf, quantile, leaves=6)

    assert found[5] == 0.0
    for number in np.unique(leaf):
        assert found[number] == pytest.approx(np.quantile(target[leaf == number], quantile))


@given(IN_LEAVES, st.randoms())
def test_a_leafs_quantile_forgets_the_order(calls: list[tuple[int, float]], random: Random) -> None:
    """Calls are a set."""
    mixed = random.sample(calls, len(calls))

    one, other = (
        leaf_quantiles(*(np.array(column) for column in zip(*((t, n) for n, t in some), strict=True)), HIGH, leaves=5)
        for some in (calls, mixed)
    )

    assert one.tolist() == other.tolist()


@settings(max_examples=8)
@given(
    arrays(np.float32, (CALLS, FEATURES), elements=GRIDDED.map(np.float32)),
    arrays(np.float64, CALLS, elements=LOGS),
    arrays(np.float32, (20, FEATURES), elements=GRIDDED.map(np.float32)),
)
def test_any_forest_is_ordered_and_exported_as_it_is(rows: Floats, target: Floats, new: Floats) -> None:
    """Whatever was recorded: .9 lies at or above .5, and on the grid both graphs branch as their source does."""
    fitted = fit_forest(Sample(rows=rows, target=target), (MEDIAN, HIGH))

    some = np.vstack([rows, new])
    assert (fitted[MEDIAN].predict(some) <= fitted[HIGH].predict(some) + 1e-9).all()
    for trees in fitted.values():
        graph = tree_graph(trees).SerializeToString()
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        (answers,) = session.run(None, {session.get_inputs()[0].name: some})
        assert np.abs(answers[:, 0] - trees.predict(some)).max() <= TOLERANCE
