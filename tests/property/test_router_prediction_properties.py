import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from manifests import trained
from pools import FAST

from chimera_router.prediction.correction import Corrections
from chimera_router.prediction.heuristic import HeuristicPredictor
from chimera_router.prediction.matching import stand
from chimera_router.prediction.port import Observation, Query
from chimera_router.scheduling.types import Descriptor, Model

FAMILIES = st.sampled_from(["", "llama-3", "qwen2.5", "gemma-2"])
SIZES = st.one_of(st.just(0.0), st.floats(0.5, 700.0))
SCORES = st.floats(0.0, 1.0)

descriptors = st.builds(Descriptor, parameters_b=SIZES, family=FAMILIES, general_score=SCORES)
trained_models = st.lists(
    st.builds(
        lambda number, family, size, score: (number, family, size, score),
        st.integers(0, 1000),
        FAMILIES,
        SIZES,
        SCORES,
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda model: model[0],
).map(lambda rows: [trained(f"t{n}", family=f, parameters_b=p, general_score=s) for n, f, p, s in rows])


@given(descriptors, trained_models)
def test_something_known_finds_a_place(descriptor: Descriptor, bundle: list) -> None:  # type: ignore[type-arg]
    """A model stands nowhere only if it has no score, no relative, and size is unknown on one of the sides."""
    found = stand(Model(name="mine", coefficients=FAST, descriptor=descriptor), bundle)

    relative = any(descriptor.family and other.family == descriptor.family for other in bundle)
    sized = descriptor.parameters_b > 0 and any(other.parameters_b > 0 for other in bundle)
    assert (found is not None) == (relative or sized or descriptor.general_score > 0)
    assert found is None or bool(np.isfinite([*found.head, *found.traits]).all())


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 100_000)), max_size=60),
    st.integers(0, 60),
    st.one_of(st.none(), st.integers(1, 5000)),
)
def test_running_medians_stay_in_bounds(seen: list[tuple[int, int]], stage: int, limit: int | None) -> None:
    """Whatever was observed: finite, ordered, this call within the client's limit."""
    predictor = HeuristicPredictor([Model(name="m", coefficients=FAST)], Corrections())
    for number, tokens in seen:
        predictor.observe(Observation(model="m", stage=number, output_tokens=tokens))

    answer = predictor.estimate(Query(text="x", prompt_tokens=1, stage=stage, max_tokens=limit)).by_model["m"]

    assert 0.0 <= answer.stage_tokens <= answer.remaining_tokens < float("inf")
    assert limit is None or answer.stage_tokens <= limit
