"""All predictors of a bundle, fitted on one choice of tasks."""

from dataclasses import dataclass

from chimera_training.bundle import DEFAULT_LEARNER, LearnerName
from chimera_training.confidence import ConfidenceModel, fit_confidence
from chimera_training.encoder import Encoder
from chimera_training.encoders import EncoderChoice, Progress, fit_encoder
from chimera_training.examples import Examples, Mask
from chimera_training.features import Floats, length_columns
from chimera_training.length import LengthModel, fit_lengths

TFIDF_ALONE = EncoderChoice()


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictors:
    """What was fitted.

    Attributes:
        encoder: Text to vector.
        confidence: Vector to readings, readings to confidences.
        lengths: Readings and what else is known to tokens.
        readings: (tasks, readings) what was read in every task of the examples, as if each were new.
    """

    encoder: Encoder
    confidence: ConfidenceModel
    lengths: LengthModel
    readings: Floats

    @property
    def length_readings(self) -> Floats:
        """(tasks, `features.length_columns`) of the readings what the length trees take."""
        taken: Floats = self.readings[:, length_columns(self.confidence.readings)]
        return taken


def fit(
    examples: Examples,
    training: Mask,
    *,
    encoder: EncoderChoice = TFIDF_ALONE,
    learner: LearnerName = DEFAULT_LEARNER,
    on_batch: Progress = lambda _done, _all: None,
) -> Predictors:
    """Fit all predictors on the training tasks, (tasks,).

    Args:
        examples: Recorded data.
        training: (tasks,) which to fit on.
        encoder: Which encoder to fit.
        learner: What fits the lengths.
        on_batch: Told the batches of fine-tuning done and their number.
    """
    fitted = fit_encoder(encoder, examples, training, on_batch=on_batch)
    confidence, readings = fit_confidence(examples, fitted, training)
    taken = readings[:, length_columns(confidence.readings)]
    lengths = fit_lengths(examples, taken, confidence.ability, training, learner=learner)
    return Predictors(encoder=fitted, confidence=confidence, lengths=lengths, readings=readings)
