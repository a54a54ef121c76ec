"""All predictors of a bundle, fitted on one choice of tasks."""

from dataclasses import dataclass

from chimera_training.confidence import ConfidenceModel, fit_confidence
from chimera_training.encoder import Encoder, fit_tfidf
from chimera_training.examples import Examples, Mask
from chimera_training.features import Floats, length_columns
from chimera_training.length import LengthModel, fit_lengths


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


def fit(examples: Examples, training: Mask) -> Predictors:
    """Fit all predictors on the training tasks, (tasks,)."""
    texts = [text for text, chosen in zip(examples.tasks.texts, training, strict=True) if chosen]
    encoder = fit_tfidf(texts)
    confidence, readings = fit_confidence(examples, encoder, training)
    taken = readings[:, length_columns(confidence.readings)]
    lengths = fit_lengths(examples, taken, confidence.ability, training)
    return Predictors(encoder=encoder, confidence=confidence, lengths=lengths, readings=readings)
