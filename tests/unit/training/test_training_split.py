import numpy as np
import pytest

from chimera_training.split import HELD_OUT_SHARE, fold, held_out, leaks, split

LONG = "a question that is long enough to be recognised when another benchmark borrows it"


def test_the_split_never_moves() -> None:
    """The side of a task is part of every published figure: these must not change between versions."""
    sides = {
        name: held_out(name)
        for name in ("gsm8k-001e2190dc11", "mint-mbpp-03f4f715ffe9", "mmlu-pro-10000", "tau-airline-04")
    }

    assert sides == {
        "gsm8k-001e2190dc11": True,
        "mint-mbpp-03f4f715ffe9": False,
        "mmlu-pro-10000": False,
        "tau-airline-04": True,
    }


def test_about_the_promised_share_is_held_out() -> None:
    """Over many tasks the share is the constant's."""
    share = np.mean([held_out(f"task-{number}") for number in range(5000)])

    assert share == pytest.approx(HELD_OUT_SHARE, abs=0.02)


def test_folds_are_of_equal_size_and_independent_of_the_split() -> None:
    """Training tasks spread evenly over the folds."""
    folds = [fold(f"task-{number}", 5) for number in range(5000) if not held_out(f"task-{number}")]

    assert set(folds) == {0, 1, 2, 3, 4}
    assert np.bincount(folds).min() > 0.17 * len(folds)


def test_a_training_task_that_repeats_a_held_out_one_is_marked() -> None:
    """The same text under another id would let the answer leak into training."""
    assert leaks([LONG, LONG], np.array([True, False])).tolist() == [False, True]


@pytest.mark.parametrize("held", [[True, False], [False, True]])
def test_a_text_that_begins_another_is_its_twin(held: list[bool]) -> None:
    """Whichever of the two is held out, the other one leaks."""
    marked = leaks([LONG, f"{LONG} Solution output format: an integer."], np.array(held))

    assert marked.tolist() == [not side for side in held]


def test_short_beginnings_are_no_twins() -> None:
    """Many tasks may begin with the same few words."""
    assert not leaks(["write a function", "write a function that sorts"], np.array([True, False])).any()


def test_tasks_of_one_side_do_not_mark_each_other() -> None:
    """Repeats among training tasks are harmless."""
    assert not leaks([LONG, LONG, "another text"], np.array([False, False, True])).any()


def test_no_tasks_no_leaks() -> None:
    """Nothing in, nothing out."""
    assert leaks([], np.array([], dtype=np.bool_)).shape == (0,)


def test_every_task_is_on_the_side_its_id_says() -> None:
    """Of one id all texts, and none on both."""
    ids = [f"task-{number % 50}" for number in range(100)]

    sides = split(ids, [f"text {number}" for number in range(100)])

    assert sides.held_out.tolist() == [held_out(task_id) for task_id in ids]
    assert (sides.training == ~sides.held_out).all()


def test_borrowed_tasks_are_on_neither_side() -> None:
    """A training task with the text of a held-out one is left out of training."""
    ids, texts = [f"task-{number}" for number in range(100)], [f"{LONG} {number // 2:02}" for number in range(100)]

    sides = split(ids, texts)

    for text in set(texts):
        same = np.array([other == text for other in texts])
        assert not (sides.held_out[same].any() and sides.training[same].any())
    assert (~sides.held_out & ~sides.training).any()


def test_holding_nothing_out_trains_on_all() -> None:
    """Repeats too: there is nothing to keep them from."""
    sides = split(["a", "b"], [LONG, LONG], share=0.0)

    assert sides.training.all()
    assert not sides.held_out.any()


def test_seeds_name_independent_splits() -> None:
    """The first is the one that bundles are made by; of another one's held-out tasks it holds out its usual share."""
    names = [f"task-{number}" for number in range(5000)]
    first, second = ([held_out(name, seed=seed) for name in names] for seed in (0, 1))

    assert first == [held_out(name) for name in names]
    assert np.mean(second) == pytest.approx(HELD_OUT_SHARE, abs=0.02)
    assert np.mean(np.array(first)[second]) == pytest.approx(HELD_OUT_SHARE, abs=0.03)
    assert split(names[:50], names[:50], seed=1).held_out.tolist() == second[:50]
