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
from chimera_training.encodings import MEASURED
from chimera_training.features import Floats
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
    able = [
        msgspec.structs.replace(
            each.entry,
            head=tuple(head.tolist()),
            general_score=general_score(head, manifest),
            ability=each.entry.ability + float(more),
        )
        for each, head, more in zip(stands, heads, moved, strict=True)
    ]
    return _all_as_verbose(able, _verbosities(graphs, manifest, stands, evidence, able))


def _all_as_verbose(entries: Sequence[TrainedModel], verbosities: Floats) -> list[TrainedModel]:
    return [_as_verbose(each, value) for each, value in zip(entries, verbosities.tolist(), strict=True)]


def _as_verbose(entry: TrainedModel, verbosity: float) -> TrainedModel:
    """Return an entry with this verbosity in single answers, in any application and in workflows by as much more."""
    more = verbosity - entry.stage_verbosity
    tokens = [name.endswith("_tokens") for name in MEASURED]
    return msgspec.structs.replace(
        entry,
        stage_verbosity=verbosity,
        remaining_verbosity=entry.remaining_verbosity + more,
        effects=tuple(
            tuple(value + more * counts for value, counts in zip(own, tokens, strict=True)) for own in entry.effects
        ),
    )


def _verbosities(
    graphs: Graphs, manifest: Manifest, stands: Sequence[Stand], evidence: Evidence, able: Sequence[TrainedModel]
) -> Floats:
    return fit_verbosity(
        evidence.outcomes,
        evidence.tokens,
        evidence.groups,
        known=[each.known for each in stands],
        expected=np.array([each.entry.stage_verbosity for each in stands]),
        predict=lambda stage: evidence.predicted_tokens(graphs, manifest, _all_as_verbose(able, stage)),
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
