"""Which models are calibrated, and where the bundle has or puts them."""

import msgspec
import numpy as np
import pytest
from pool_documents import model_document, pool_document

from chimera_bench.probing.log import ProbingError
from chimera_bench.probing.members import Member, chosen, stand
from chimera_operator.api.parse import parse_pool
from chimera_router.prediction.bundle import default_bundle, read_bundle
from chimera_router.prediction.matching import stand as router_stand
from chimera_router.scheduling.types import Coefficients, Descriptor, Model
from chimera_training.bundle import Manifest

LLAMA = "Meta-Llama-3-8B-Instruct"


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    return read_bundle(default_bundle()).manifest


def test_a_document_tells_what_its_models_are() -> None:
    """Descriptor and entry; what is not given is not known."""
    described = model_document("a", descriptor={"trainedAs": LLAMA, "parametersB": 8, "family": "llama-3"})
    pool = parse_pool(pool_document(described, model_document("b")))

    assert Member.of_pool(pool) == [
        Member(name="a", entry=LLAMA, family="llama-3", parameters_b=8.0),
        Member(name="b", entry="b"),
    ]


def test_a_name_tells_the_family() -> None:
    """An address gives no more."""
    assert Member.listed("Qwen/Qwen2.5-7B-Instruct") == Member(
        name="Qwen/Qwen2.5-7B-Instruct", entry="Qwen/Qwen2.5-7B-Instruct", family="qwen2.5"
    )


def test_all_models_are_chosen_unless_some_are_named() -> None:
    """In the order named, each once."""
    members = [Member(name=name, entry=name) for name in "abc"]

    assert chosen(members, ()) == members
    assert chosen(members, ("c", "a", "c")) == [members[2], members[0]]


def test_an_unknown_model_is_refused_with_those_there_are() -> None:
    """The sentence lists them."""
    with pytest.raises(ProbingError, match="the pool has no model x; it has a, b"):
        chosen([Member(name=name, entry=name) for name in "ab"], ("x",))


def test_two_models_of_one_entry_are_refused() -> None:
    """Their answers would be put into the same place; one of them alone may be asked."""
    members = [Member(name="a", entry=LLAMA), Member(name="b", entry=LLAMA.lower())]

    with pytest.raises(ProbingError, match="a and b are both trained as"):
        chosen(members, ())
    assert chosen(members, ("b",)) == [members[1]]


def test_a_known_model_starts_from_its_own_head(manifest: Manifest) -> None:
    """Whatever the case of its name; and it is held more firmly than one that was placed."""
    known = stand(Member(name="a", entry=LLAMA.lower()), manifest)
    placed = stand(Member(name="b", entry="b", family="llama-3", parameters_b=8.0), manifest)

    assert known.known
    assert known.entry == next(model for model in manifest.models if model.name == LLAMA)
    assert known.prior.head.tolist() == list(known.entry.head)
    assert np.linalg.eigvalsh(known.prior.precision).min() > 2 * np.linalg.eigvalsh(placed.prior.precision).min()


def test_a_new_model_starts_where_the_picker_places_it(manifest: Manifest) -> None:
    """Before any answer the new entry predicts what the picker would without it."""
    member = Member(name="new", entry="new", family="llama-3", parameters_b=8.0, general_score=0.6)
    coefficients = Coefficients(base_step=1, per_sequence=0, prefill_per_token=0, max_num_seqs=1, kv_tokens=1)
    descriptor = Descriptor(family="llama-3", parameters_b=8.0, general_score=0.6)
    expected = router_stand(Model(name="new", descriptor=descriptor, coefficients=coefficients), manifest.models)

    placed = stand(member, manifest)

    assert not placed.known
    assert expected is not None
    assert np.allclose(placed.entry.head, expected.head)
    assert np.allclose(placed.entry.traits(), expected.traits)
    assert (placed.entry.name, placed.entry.family, placed.entry.parameters_b) == ("new", "llama-3", 8.0)
    assert 0 < placed.entry.general_score < 1


def test_a_model_of_which_nothing_is_known_is_the_average_one(manifest: Manifest) -> None:
    """Its name alone has to do."""
    placed = stand(Member(name="x", entry="x"), manifest)

    assert np.allclose(placed.prior.head, np.mean([model.head for model in manifest.models], axis=0))


def test_the_only_model_of_a_bundle_can_be_calibrated(manifest: Manifest) -> None:
    """There is nobody to tell how far models differ; a trained head's prior does."""
    alone = msgspec.structs.replace(manifest, models=manifest.models[:1])

    only = stand(Member(name="a", entry=manifest.models[0].name), alone)

    assert only.known
    assert np.linalg.eigvalsh(only.prior.precision).min() > 1
