"""From answers to a new bundle: heads, abilities and verbosities of the models that answered; all else stays."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from chimera_bench.probing.evidence import Evidence, gather
from chimera_bench.probing.figures import ModelReport, Report, report, told_of
from chimera_bench.probing.log import Answer
from chimera_bench.probing.members import Member, Stand, domain_columns, general_score, stand
from chimera_bench.probing.session import Asked
from chimera_router.prediction.bundle import Bundle
from chimera_router.prediction.onnx import Graphs
from chimera_training.bundle import Manifest, TrainedModel
from chimera_training.features import Floats, length_columns
from chimera_training.probes.fit import cross_fitted, fit_heads, fit_verbosity
from chimera_training.probes.probe import Probe, digest

CALIBRATED = ", calibrated"  # at the end of `written_by`


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A new manifest, and what changed in it."""

    manifest: Manifest
    reports: tuple[ModelReport, ...]

    def report(self, *, bundle: Path, out: Path, asked: Asked) -> Report:
        """Return what is kept beside the bundle `out`, which started from another."""
        return Report(
            bundle=str(out),
            started_from=str(bundle),
            pool=asked.pool,
            probes=digest(asked.probes),
            requests=len(asked.answers),
            tokens=sum(answer.prompt_tokens + answer.output_tokens for answer in asked.answers),
            simulated=any(answer.simulated for answer in asked.answers),
            known_models=sum(each.known for each in self.reports),
            models=self.reports,
        )


def calibrate(
    bundle: Bundle, members: Sequence[Member], probes: Sequence[Probe], answers: Sequence[Answer]
) -> Calibration:
    """Fit the models that answered, and put them into a bundle's manifest.

    The number of a model's tokens is known of single answers only. How many calls a workflow of it takes is not, so
    its verbosity in workflows moves by as much as its verbosity in one answer.

    Args:
        bundle: To start from.
        members: The models that were asked.
        probes: The whole set.
        answers: To probes of the set; those of other models are left out.

    Raises:
        BundleError: A graph cannot be loaded or is not what the manifest promises.
    """
    by_member = [(member, [answer for answer in answers if answer.model == member.name]) for member in members]
    fitted = [(member, own) for member, own in by_member if own]
    stands = [stand(member, bundle.manifest) for member, _ in fitted]
    graphs = Graphs(bundle)
    evidence = gather(graphs, [member.name for member, _ in fitted], probes, answers)
    entries = _entries(graphs, bundle.manifest, stands, evidence)
    before, after = _confidences(stands, evidence)
    reports = [
        report(member, each, entry, own, told_of(evidence, number, before, after))
        for number, ((member, own), each, entry) in enumerate(zip(fitted, stands, entries, strict=True))
    ]
    return Calibration(manifest=_with_entries(bundle.manifest, entries), reports=tuple(reports))


def _entries(graphs: Graphs, manifest: Manifest, stands: Sequence[Stand], evidence: Evidence) -> list[TrainedModel]:
    """Return what becomes of each model's entry."""
    heads = fit_heads(evidence.outcomes, evidence.readings, evidence.groups, [each.prior for each in stands]).heads
    moved = [
        (head - each.prior.head)[domain_columns(manifest)].mean() for each, head in zip(stands, heads, strict=True)
    ]
    abilities = np.array([each.entry.ability for each in stands]) + np.array(moved)
    verbosities = _verbosities(graphs, length_columns(manifest.readings), stands, evidence, abilities)
    return [
        msgspec.structs.replace(
            each.entry,
            head=tuple(head.tolist()),
            general_score=general_score(head, manifest),
            ability=ability,
            stage_verbosity=verbosity,
            remaining_verbosity=each.entry.remaining_verbosity + verbosity - each.entry.stage_verbosity,
        )
        for each, head, ability, verbosity in zip(stands, heads, abilities.tolist(), verbosities.tolist(), strict=True)
    ]


def _verbosities(
    graphs: Graphs, columns: Sequence[int], stands: Sequence[Stand], evidence: Evidence, abilities: Floats
) -> Floats:
    remaining = np.array([each.entry.remaining_verbosity for each in stands])
    return fit_verbosity(
        evidence.outcomes,
        evidence.tokens,
        evidence.groups,
        known=[each.known for each in stands],
        expected=np.array([each.entry.stage_verbosity for each in stands]),
        predict=lambda stage: evidence.predicted_tokens(
            graphs, columns, np.column_stack([abilities, stage, remaining])
        ),
    )


def _confidences(stands: Sequence[Stand], evidence: Evidence) -> tuple[Floats, Floats]:
    """Return the confidence in every answer with the heads as they were, and with heads fitted on other probes."""
    priors = [each.prior for each in stands]
    given = (evidence.outcomes, evidence.readings, evidence.groups)
    return cross_fitted(*given, [prior.fixed() for prior in priors]), cross_fitted(*given, priors)


def _with_entries(manifest: Manifest, entries: Sequence[TrainedModel]) -> Manifest:
    """Return the manifest with entries replaced, or added at the end."""
    fresh = {entry.name: entry for entry in entries}
    kept = tuple(fresh.pop(model.name, model) for model in manifest.models)
    written_by = manifest.written_by.removesuffix(CALIBRATED) + CALIBRATED
    return msgspec.structs.replace(manifest, models=(*kept, *fresh.values()), written_by=written_by)
