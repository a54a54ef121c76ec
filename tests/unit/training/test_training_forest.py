import numpy as np
import onnxruntime
import pytest

from chimera_training.ensemble import HIGH, MEDIAN, Sample
from chimera_training.export import tree_graph
from chimera_training.features import GRID
from chimera_training.forest import FOREST, LEAST_IN_LEAF, LEAVES, TREES, LeafQuantiles, fit_forest, leaf_quantiles

QUANTILES = (MEDIAN, HIGH)


def sample(count: int = 3000, *, seed: int = 0) -> Sample:
    """Targets that spread the more, the larger the first feature is."""
    generator = np.random.default_rng(seed)
    rows = np.round(generator.random((count, 3)) * GRID) / GRID
    return Sample(rows=rows.astype(np.float32), target=5.0 + rows[:, 0] * generator.standard_exponential(count))


@pytest.fixture(scope="module")
def fitted() -> dict[float, LeafQuantiles]:
    return fit_forest(sample(), QUANTILES)


def test_each_leaf_gets_the_quantile_of_its_own_targets() -> None:
    """As numpy counts it, however the targets are ordered."""
    target = np.array([9.0, 1.0, 4.0, 2.0, 8.0])
    leaf = np.array([2, 0, 0, 0, 2])

    assert leaf_quantiles(target, leaf, MEDIAN, leaves=3).tolist() == [2.0, 0.0, 8.5]
    assert leaf_quantiles(target, leaf, HIGH, leaves=3) == pytest.approx([3.6, 0.0, 8.9])


def test_leaves_hold_quantiles_of_all_calls(fitted: dict[float, LeafQuantiles]) -> None:
    """Of those too that the tree was not grown on: the first leaf of every tree, counted by hand."""
    calls = sample()

    for tree in fitted[HIGH].forest.estimators_:
        leaves = tree.apply(calls.rows)
        own = calls.target[leaves == leaves[0]]
        assert tree.tree_.value[leaves[0], 0, 0] == pytest.approx(np.quantile(own, HIGH))


def test_an_answer_is_the_mean_of_its_leaves(fitted: dict[float, LeafQuantiles]) -> None:
    """One value of each tree, all alike."""
    rows = sample(20, seed=1).rows
    trees = fitted[HIGH].forest.estimators_

    expected = np.mean([tree.tree_.value[tree.apply(rows), 0, 0] for tree in trees], axis=0)

    assert fitted[HIGH].predict(rows) == pytest.approx(expected)


def test_quantiles_of_new_calls_are_near_the_truth(fitted: dict[float, LeafQuantiles]) -> None:
    """The share of truths below each is the promised one, within sampling error."""
    new = sample(seed=1)

    for quantile, trees in fitted.items():
        assert (new.target <= trees.predict(new.rows)).mean() == pytest.approx(quantile, abs=0.04)


def test_one_structure_serves_all_quantiles(fitted: dict[float, LeafQuantiles]) -> None:
    """A row falls into the same leaves, so the high answer is never below the median."""
    rows = sample(seed=2).rows

    assert (fitted[MEDIAN].forest.apply(rows) == fitted[HIGH].forest.apply(rows)).all()
    assert (fitted[MEDIAN].predict(rows) <= fitted[HIGH].predict(rows)).all()


def test_trees_are_bounded(fitted: dict[float, LeafQuantiles]) -> None:
    """In number, in leaves, and in what a leaf rests on: a graph's size and time follow."""
    trees = fitted[MEDIAN].forest.estimators_

    assert len(trees) == TREES
    assert max(tree.get_n_leaves() for tree in trees) <= LEAVES
    assert min(tree.tree_.n_node_samples.min() for tree in trees) >= LEAST_IN_LEAF


def test_equal_samples_give_equal_graphs(fitted: dict[float, LeafQuantiles]) -> None:
    """The seed is fixed, and no sum depends on which thread came first."""
    again = fit_forest(sample(), QUANTILES)

    assert all(tree_graph(again[quantile]) == tree_graph(fitted[quantile]) for quantile in QUANTILES)
    assert (again[HIGH].predict(sample(seed=1).rows) == fitted[HIGH].predict(sample(seed=1).rows)).all()


def test_weights_say_where_leaves_grow(fitted: dict[float, LeafQuantiles]) -> None:
    """Calls that weigh more are drawn more often, so they are told apart more finely."""
    calls = sample()
    favoured = calls.rows[:, 1] < 0.3
    weighed = Sample(rows=calls.rows, target=calls.target, weight=np.where(favoured, 10.0, 1.0))

    finer = fit_forest(weighed, (MEDIAN,))[MEDIAN].forest.apply(calls.rows[favoured])
    plain = fitted[MEDIAN].forest.apply(calls.rows[favoured])

    assert all(len(set(one)) > len(set(other)) for one, other in zip(finer.T, plain.T, strict=True))


def test_the_graph_is_one_plain_ensemble_of_trees(fitted: dict[float, LeafQuantiles]) -> None:
    """One operator of ONNX's own, one output; it answers as its source does, on new values too."""
    graph = tree_graph(fitted[HIGH])
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    rows = sample(seed=3).rows

    (answers,) = session.run(None, {session.get_inputs()[0].name: rows})

    assert [node.op_type for node in graph.graph.node] == ["TreeEnsembleRegressor"]
    assert answers[:, 0] == pytest.approx(fitted[HIGH].predict(rows), abs=1e-4)


def test_both_targets_are_fitted_alike(fitted: dict[float, LeafQuantiles]) -> None:
    """A call and the rest of a workflow differ by their targets only."""
    for fit in (FOREST.stage, FOREST.remaining):
        assert tree_graph(fit(sample(), (MEDIAN,))[MEDIAN]) == tree_graph(fitted[MEDIAN])
