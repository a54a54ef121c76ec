"""What can be read in a task's text: its domain (kind of task) and how difficult it is.

Both are linear heads over the encoder's vector, shared by all models, so that a model with few recorded answers profits
from the others'.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from chimera_training.examples import Integers, Mask
from chimera_training.features import Floats
from chimera_training.split import fold

# Parts of the training tasks; each is read by heads fitted on the others.
FOLDS = 5

# Inverse strength of the domain head's regularisation: task sets differ in wording, so weak; 30 to 300 score alike.
DOMAIN_FREEDOM = 100.0

# Gradient at which its fit stops: at the tenth of it held-out tasks are told apart no better, for three times the work.
DOMAIN_TOLERANCE = 1e-3

# Strength of the difficulty head's regularisation, the best of 1, 3, 10, 30, 100 in cross-validation on tasks.
DIFFICULTY_PENALTY = 100.0

# Answers after which a task's difficulty is known well enough; more do not make it weigh more.
ENOUGH_ANSWERS = 30


# Logit of a domain that no training text belongs to.
NEVER = -30.0


@dataclass(frozen=True, slots=True)
class TextHeads:
    """The fitted heads.

    Attributes:
        weights: (width, domains + 1): logits of the domains, then the difficulty in logits of failure.
        bias: (domains + 1,).
    """

    weights: Floats
    bias: Floats

    def read(self, vectors: Any) -> Floats:
        """Return a probability for each domain, and the difficulty: (texts, domains + 1)."""
        values: Floats = np.asarray(vectors @ self.weights) + self.bias
        odds = np.exp(values[:, :-1] - values[:, :-1].max(axis=1, keepdims=True))
        return np.hstack([odds / odds.sum(axis=1, keepdims=True), values[:, -1:]])


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledTexts:
    """Texts with what should be read in them.

    Attributes:
        vectors: (n, width) of the encoder.
        domain: (n,) the true domain.
        difficulty: (n,) in logits of failure, relative to the domain.
        answers: (n,) recorded answers that the difficulty rests on.
        domains: Number of domains.
    """

    vectors: Any
    domain: Integers
    difficulty: Floats
    answers: Integers
    domains: int

    def of(self, tasks: Mask) -> "LabelledTexts":
        """Return the marked texts."""
        return LabelledTexts(
            vectors=self.vectors[tasks],
            domain=self.domain[tasks],
            difficulty=self.difficulty[tasks],
            answers=self.answers[tasks],
            domains=self.domains,
        )


def fit_heads(texts: LabelledTexts) -> TextHeads:
    """Fit both heads."""
    width = texts.vectors.shape[1]
    weights, bias = np.zeros((width, texts.domains + 1)), np.zeros(texts.domains + 1)
    _fit_domains(texts, weights, bias)
    ridge = Ridge(alpha=DIFFICULTY_PENALTY).fit(
        texts.vectors, texts.difficulty, sample_weight=texts.answers.clip(max=ENOUGH_ANSWERS)
    )
    weights[:, -1], bias[-1] = ridge.coef_, ridge.intercept_
    return TextHeads(weights, bias)


def read_unseen(texts: LabelledTexts, heads: TextHeads, ids: Sequence[str], training: Mask) -> Floats:
    """Read every text as if it were new: training texts by heads that were fitted without them.

    Args:
        texts: All texts.
        heads: Fitted on the training texts; they read the others.
        ids: Task of every text; its texts share a fold.
        training: Marks the training texts.
    """
    readings = heads.read(texts.vectors)
    for part in _parts(ids, training):
        readings[part] = fit_heads(texts.of(training & ~part)).read(texts.vectors[part])
    return readings


def _parts(ids: Sequence[str], training: Mask) -> Iterator[Mask]:
    numbers = np.array([fold(task_id, FOLDS) for task_id in ids])
    masks = (training & (numbers == number) for number in range(FOLDS))
    return (mask for mask in masks if mask.any() and (training & ~mask).any())


def _fit_domains(texts: LabelledTexts, weights: Floats, bias: Floats) -> None:
    """Fill in the logits of the domains that occur; one that does not occur stays far below them."""
    present = np.unique(texts.domain)
    bias[:-1] = NEVER
    bias[present] = 0.0
    if len(present) == 1:
        return
    fitted = LogisticRegression(C=DOMAIN_FREEDOM, tol=DOMAIN_TOLERANCE, max_iter=1000).fit(texts.vectors, texts.domain)
    # Of two classes scikit-learn gives the logit of the second alone.
    of = present[1:] if len(present) == 2 else present
    weights[:, of], bias[of] = fitted.coef_.T, fitted.intercept_
