"""What the answers said of each model, before and after its calibration."""

from collections.abc import Sequence

import msgspec
import numpy as np

from chimera_bench.probing.evidence import Evidence
from chimera_bench.probing.log import Answer
from chimera_bench.probing.members import Member, Stand
from chimera_training.bundle import TrainedModel
from chimera_training.calibration import calibration_error
from chimera_training.features import Floats


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A figure before and after."""

    before: float
    after: float


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the answers said of one model.

    Attributes:
        model: Its name in the pool.
        entry: Its name in the bundle.
        known: Whether the bundle held it before.
        answers: To how many probes.
        right: Of these.
        without_answer: Of these: no answer could be found in what it wrote.
        cut: Of these: the limit on tokens ended it, so that its length is a lower bound.
        mean_tokens: Output tokens of an answer.
        ability: In logits, over the average model.
        calibration_error: Expected calibration error on the answers, ten equal bins. Both by fits that have not seen
            the probe: of the eases of probes alone, and of the heads with them.
        brier: Mean squared error of the same confidences.
        verbosity: log(1 + tokens) over other models' at the same task.
    """

    model: str
    entry: str
    known: bool
    answers: int
    right: int
    without_answer: int
    cut: int
    mean_tokens: float
    ability: Change
    calibration_error: Change
    brier: Change
    verbosity: Change


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a calibration beside its bundle.

    Attributes:
        bundle: Folder that was written.
        started_from: Folder of the bundle before.
        pool: Its name.
        probes: sha256 of the probe set.
        requests: Answers of these models, those of earlier runs included.
        tokens: Of these, prompts and answers together.
        simulated: Whether engines made answers up; then no figure says anything of a model.
        known_models: Models that anchor the level of abilities: those that the bundle held before.
        models: In the pool's order; those without answers are left out.
    """

    bundle: str
    started_from: str
    pool: str
    probes: str
    requests: int
    tokens: int
    simulated: bool
    known_models: int
    models: tuple[ModelReport, ...]


def report(member: Member, stand: Stand, entry: TrainedModel, answers: Sequence[Answer], told: Floats) -> ModelReport:
    """Return what a model's answers said of it.

    Args:
        member: In the pool.
        stand: Where it stood before.
        entry: What became of it.
        answers: Its own, at least one.
        told: (3, answers): 1 where it was right, its confidence before, its confidence after.
    """
    success, before, after = told
    return ModelReport(
        model=member.name,
        entry=entry.name,
        known=stand.known,
        answers=len(answers),
        right=sum(answer.right for answer in answers),
        without_answer=sum(not answer.given for answer in answers),
        cut=sum(answer.cut for answer in answers),
        mean_tokens=float(np.mean([answer.output_tokens for answer in answers])),
        ability=Change(before=stand.entry.ability, after=entry.ability),
        calibration_error=Change(before=calibration_error(before, success), after=calibration_error(after, success)),
        brier=Change(before=_brier(before, success), after=_brier(after, success)),
        verbosity=Change(before=stand.entry.stage_verbosity, after=entry.stage_verbosity),
    )


def told_of(evidence: Evidence, model: int, before: Floats, after: Floats) -> Floats:
    """Return (3, its answers) of a model: right or wrong, and the confidences before and after."""
    own = evidence.outcomes.model == model
    return np.array([evidence.outcomes.success[own], before[own], after[own]])


def _brier(confidence: Floats, success: Floats) -> float:
    return float(((confidence - success) ** 2).mean())
