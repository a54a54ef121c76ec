"""From answers to a bundle: what changes in it, what stays, and what is reported."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from probed_pool import drawn

from chimera_bench.probing.calibration import Calibration, calibrate
from chimera_bench.probing.log import Answer
from chimera_bench.probing.members import Member, domain_columns, stand
from chimera_bench.probing.session import Asked
from chimera_router.prediction.bundle import Bundle, default_bundle, read_bundle
from chimera_router.prediction.onnx import Graphs
from chimera_training.bundle import Manifest, TrainedModel, decode, encode
from chimera_training.features import Floats, normalise
from chimera_training.heads import sigmoid
from chimera_training.probes.probe import Probe, digest, read_probes

SMALL = Member(name="small", entry="Meta-Llama-3-8B-Instruct")
LARGE = Member(name="large", entry="Meta-Llama-3-70B-Instruct")
NEW = Member(name="new", entry="new-8b", family="llama-3", parameters_b=8.0)
MEMBERS = [SMALL, LARGE, NEW]
PROBES = read_probes()

Tokens = Callable[[Member], int]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return read_bundle(default_bundle())


@pytest.fixture(scope="module")
def readings(bundle: Bundle) -> Floats:
    return Graphs(bundle).read([normalise(probe.question) for probe in PROBES])


@pytest.fixture(scope="module")
def better(bundle: Bundle, readings: Floats) -> Calibration:
    """The known models answer as the bundle says, the new one better than it was placed; and at twice the length."""
    shifts = {"small": 0.0, "large": 0.0, "new": 1.5}
    answers = answered(bundle, readings, MEMBERS, shifts, tokens=lambda member: 400 if member is NEW else 200)
    return calibrate(bundle, MEMBERS, PROBES, answers)


def answered(
    bundle: Bundle,
    readings: Floats,
    members: list[Member],
    shifts: dict[str, float],
    *,
    tokens: Tokens = lambda _: 200,
    probes: list[Probe] = PROBES,
) -> list[Answer]:
    """Return answers of models that are that much abler than they stand in the bundle, to probes a logit too easy."""
    return [
        Answer(
            model=member.name,
            probe=probe.id,
            right=bool(drawn(member.name, probe) < sigmoid(read @ head + shifts[member.name] + 1.0)),
            given=True,
            cut=False,
            simulated=False,
            prompt_tokens=80,
            output_tokens=tokens(member),
        )
        for member in members
        for head in [stand(member, bundle.manifest).prior.head]
        for probe, read in zip(PROBES, readings, strict=True)
        if probe in probes
    ]


def entry(manifest: Manifest, member: Member) -> TrainedModel:
    return next(model for model in manifest.models if model.name == member.entry)


def test_a_new_model_is_added_where_its_answers_put_it(bundle: Bundle, better: Calibration) -> None:
    """At the end of the models, with its descriptor, and abler than it was placed."""
    placed = stand(NEW, bundle.manifest).entry
    added = better.manifest.models[-1]

    assert (added.name, added.family, added.parameters_b) == ("new-8b", "llama-3", 8.0)
    assert added.ability > placed.ability + 0.5
    assert added.general_score > placed.general_score
    columns = domain_columns(bundle.manifest)
    assert np.mean(np.array(added.head)[columns] - np.array(placed.head)[columns]) == pytest.approx(
        added.ability - placed.ability
    )


def test_known_models_that_answer_as_predicted_hardly_move(bundle: Bundle, better: Calibration) -> None:
    """Easy probes are not taken for ability."""
    for member in (SMALL, LARGE):
        before, after = entry(bundle.manifest, member), entry(better.manifest, member)
        assert after.ability == pytest.approx(before.ability, abs=0.25)
        assert after.stage_verbosity == pytest.approx(before.stage_verbosity, abs=0.25)


def test_a_wordy_model_is_wordier_in_answers_and_in_workflows_alike(bundle: Bundle, better: Calibration) -> None:
    """Its answers are all that was seen of it."""
    placed, added = stand(NEW, bundle.manifest).entry, entry(better.manifest, NEW)
    moved = added.stage_verbosity - placed.stage_verbosity

    assert moved > 0.3
    assert added.remaining_verbosity - placed.remaining_verbosity == pytest.approx(moved)


def test_all_else_in_the_bundle_stays(bundle: Bundle, better: Calibration) -> None:
    """Models that were not asked, in their order; features, training, figures and files; and it says who wrote it."""
    asked = {SMALL.entry, LARGE.entry}
    kept = [model for model in better.manifest.models[:-1] if model.name not in asked]

    assert [model.name for model in better.manifest.models[:-1]] == [model.name for model in bundle.manifest.models]
    assert kept == [model for model in bundle.manifest.models if model.name not in asked]
    same = msgspec.structs.replace(
        better.manifest, models=bundle.manifest.models, written_by=bundle.manifest.written_by
    )
    assert same == bundle.manifest
    assert better.manifest.written_by == f"{bundle.manifest.written_by}, calibrated"


def test_the_new_manifest_is_one(better: Calibration) -> None:
    """It reads back as it was written."""
    assert decode(encode(better.manifest)) == better.manifest


def test_known_models_that_contradict_each_other_are_corrected(bundle: Bundle, readings: Floats) -> None:
    """One of two is far worse than recorded: in the domains that probes lie in, the gap between them moves with it."""
    answers = answered(bundle, readings, [SMALL, LARGE], {"small": 0.0, "large": -2.5})
    domain = bundle.manifest.readings.index("domain:gsm8k")

    calibrated = calibrate(bundle, [SMALL, LARGE], PROBES, answers).manifest

    before, after = (
        entry(manifest, LARGE).head[domain] - entry(manifest, SMALL).head[domain]
        for manifest in (bundle.manifest, calibrated)
    )
    assert after < before - 1.2


def test_the_report_counts_and_compares(bundle: Bundle, better: Calibration) -> None:
    """One row a model, in the pool's order."""
    small, large, new = better.reports

    assert [each.model for each in better.reports] == ["small", "large", "new"]
    assert (small.known, large.known, new.known) == (True, True, False)
    assert {each.answers for each in better.reports} == {400}
    assert new.right > small.right
    assert (new.mean_tokens, small.mean_tokens) == (400.0, 200.0)
    assert new.ability.after == entry(better.manifest, NEW).ability
    assert new.ability.before == stand(NEW, bundle.manifest).entry.ability
    assert new.brier.after < new.brier.before
    assert new.calibration_error.after < new.calibration_error.before


def test_models_without_answers_are_left_as_they_are(bundle: Bundle, readings: Floats) -> None:
    """A budget may end before one has any; a few answers of the others are enough to go on."""
    answers = answered(bundle, readings, [SMALL], {"small": 0.0}, probes=PROBES[:7])

    few = calibrate(bundle, MEMBERS, PROBES, answers)

    assert [each.model for each in few.reports] == ["small"]
    assert len(few.manifest.models) == len(bundle.manifest.models)
    assert entry(few.manifest, LARGE) == entry(bundle.manifest, LARGE)
    assert few.reports[0].ability.after == pytest.approx(few.reports[0].ability.before, abs=0.5)


def test_a_bundle_can_be_calibrated_again(bundle: Bundle, readings: Floats, better: Calibration) -> None:
    """The model that was added is known then; the bundle says once that it was calibrated."""
    again = Bundle(bundle.folder, better.manifest, bundle.graphs)

    calibrated = calibrate(again, [NEW], PROBES, answered(bundle, readings, [NEW], {"new": 1.5}))

    assert calibrated.reports[0].known
    assert len(calibrated.manifest.models) == len(better.manifest.models)
    assert calibrated.manifest.written_by == better.manifest.written_by


def test_what_is_kept_beside_the_bundle(bundle: Bundle, readings: Floats) -> None:
    """Where it came from, what it cost, and what anchors it."""
    answers = answered(bundle, readings, [SMALL, NEW], {"small": 0.0, "new": 0.0}, probes=PROBES[:10])
    asked = Asked(pool="assistants", members=[SMALL, NEW], probes=PROBES, answers=answers)

    report = calibrate(bundle, asked.members, PROBES, answers).report(
        bundle=bundle.folder, out=Path("out"), asked=asked
    )

    assert (report.bundle, report.started_from, report.pool) == ("out", str(bundle.folder), "assistants")
    assert (report.requests, report.tokens, report.known_models) == (20, 20 * 280, 1)
    assert (report.probes, report.simulated) == (digest(PROBES), False)
