import numpy as np
from manifests import trained
from recordings import prompt_rows

from chimera_training.examples import Examples, arrange
from chimera_training.features import Floats
from chimera_training.pools import Pool
from chimera_training.resampling import task_weights
from chimera_training.unseen import OBSERVED_TASKS, UnseenFigures, unseen_figures

SUMS = Pool(name="sums", task_sets=("sums",), models=("Small-7B-Chat", "Big-70B-Chat"))
HEAD = (2.0, 0.0, -1.0)


def bundle(head: tuple[float, ...] = HEAD, **others: tuple[float, ...]) -> list:  # type: ignore[type-arg]
    """Return the recorded models: every one finds odd tasks hard, but for those given another head."""
    sizes = {"Big_70B_Chat": 70.0, "Coder_7B_Chat": 7.0, "Small_7B_Chat": 7.0}
    return [
        trained(name.replace("_", "-"), parameters_b=size, head=others.get(name, head)) for name, size in sizes.items()
    ]


def by_task(examples: Examples) -> Floats:
    """Return readings of one domain in which even tasks look easy and odd ones hard."""
    even = np.array([int(task_id.split("-")[1]) % 2 == 0 for task_id in examples.tasks.ids])
    return np.column_stack([np.ones(len(even)), np.zeros(len(even)), np.where(even, 0.0, 4.0)])


def figures_of(pool: Pool, examples: Examples, readings: Floats, models: list) -> UnseenFigures | None:  # type: ignore[type-arg]
    return unseen_figures(pool, examples, readings, models, task_weights(len(readings), resamples=20))


def test_the_other_models_tell_what_is_hard(small_examples: Examples) -> None:
    """The small model is right on even tasks alone, and is ranked so without its own head."""
    figures = figures_of(SUMS, small_examples, by_task(small_examples), bundle())

    assert figures is not None
    assert figures.auc_mean == 1.0
    assert figures.n == 60 - OBSERVED_TASKS


def test_its_own_head_is_not_looked_at(small_examples: Examples) -> None:
    """Whatever it says of the model that is set aside, the figures stay."""
    pool = Pool(name="one", task_sets=("sums",), models=("Small-7B-Chat",))
    readings = by_task(small_examples)

    plain, other = bundle(), bundle(Small_7B_Chat=(-9.0, 9.0, 3.0))

    assert figures_of(pool, small_examples, readings, plain) == figures_of(pool, small_examples, readings, other)


def test_its_general_score_is_not_looked_at(small_examples: Examples) -> None:
    """The bundle made it of the very answers that are set aside."""
    pool = Pool(name="one", task_sets=("sums",), models=("Small-7B-Chat",))
    readings = by_task(small_examples)
    others = [model for model in bundle() if model.name != "Small-7B-Chat"]

    low, high = (
        figures_of(
            pool, small_examples, readings, [*others, trained("Small-7B-Chat", parameters_b=7, general_score=score)]
        )
        for score in (0.1, 0.9)
    )

    assert low == high


def test_observed_answers_place_it(small_examples: Examples) -> None:
    """The others mostly fail; twenty right answers of the big model say otherwise."""
    pool = Pool(name="one", task_sets=("sums",), models=("Big-70B-Chat",))
    flat = np.tile([1.0, 0.0, 0.0], (len(small_examples.tasks.ids), 1))
    doubtful = bundle(head=(-2.2, 0.0, -1.0), Small_7B_Chat=(-0.2, 0.0, -1.0))

    figures = figures_of(pool, small_examples, flat, doubtful)

    assert figures is not None
    assert figures.brier < 0.2  # 0.58 with the confidence that its size would give it


def test_too_few_tasks_give_no_figures() -> None:
    """With twenty observed there must be as many left to measure."""
    few = arrange(prompt_rows(2 * OBSERVED_TASKS - 1), ())

    assert figures_of(SUMS, few, by_task(few), bundle()) is None


def test_a_bundle_of_one_model_gives_no_figures() -> None:
    """There is no other model to place it by."""
    alone = arrange([row for row in prompt_rows() if row.model == "Small-7B-Chat"], ())
    pool = Pool(name="one", task_sets=("sums",), models=("Small-7B-Chat",))

    assert figures_of(pool, alone, by_task(alone), [trained("Small-7B-Chat")]) is None
