"""What can be read in a task's text: its domain (kind of task) and how difficult it is.

Both are linear heads over the encoder's vector, shared by all models, so that a model with few recorded answers profits
from the others'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from chimera_training.examples import Integers, Mask
from chimera_training.features import Floats
from chimera_training.ridge import fit_ridge
from chimera_training.split import fold

# Parts of the training tasks; each is read by heads fitted on the others.
FOLDS = 5

# Strength of the regularisation of both heads, in texts of well-known difficulty: .6 to 6 differ by under .01 of AUC,
# mathematics and code wanting less, general knowledge more.
PENALTY = 2.0

# Inverse strength of the regularisation of the domains' logits: weak, since their scores are few and cross-fitted.
DOMAIN_FREEDOM = 10.0

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
        return _as_readings(np.asarray(vectors @ self.weights) + self.bias)


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


def fit_reading(texts: LabelledTexts, ids: Sequence[str], training: Mask) -> tuple[TextHeads, Floats]:
    """Fit both heads.

    Args:
        texts: All texts.
        ids: Task of every text; its texts share a fold.
        training: Marks the texts to fit on.

    Returns:
        The heads; and what they read in every text as if it were new, (texts, domains + 1): in training texts what
        heads read that were fitted without them.
    """
    known = texts.of(training)
    folds = np.array([fold(task_id, FOLDS) for task_id, chosen in zip(ids, training, strict=True) if chosen])
    targets = np.column_stack([np.eye(texts.domains)[known.domain], known.difficulty])
    weight = known.answers.clip(min=1, max=ENOUGH_ANSWERS) / ENOUGH_ANSWERS
    ridge, unseen = fit_ridge(known.vectors, targets, weight, folds, penalty=PENALTY)
    scale, shift = _fit_domains(unseen[:, :-1], known.domain)
    heads = TextHeads(_scaled(ridge.weights, scale), _scaled(ridge.bias[None], scale)[0] + np.append(shift, 0.0))
    readings = heads.read(texts.vectors)
    readings[training] = _as_readings(_scaled(unseen, scale) + np.append(shift, 0.0))
    return heads, readings


def _as_readings(values: Floats) -> Floats:
    """Return probabilities for the logits of the domains, and the difficulty as it is."""
    odds = np.exp(values[:, :-1] - values[:, :-1].max(axis=1, keepdims=True))
    return np.hstack([odds / odds.sum(axis=1, keepdims=True), values[:, -1:]])


def _scaled(values: Floats, scale: Floats) -> Floats:
    """Return the scores of the domains turned into logits, and the difficulty as it is."""
    return np.hstack([values[:, :-1] @ scale, values[:, -1:]])


def _fit_domains(scores: Floats, domain: Integers) -> tuple[Floats, Floats]:
    """Fit what turns scores of the domains, which sum to 1 but may be below 0, into logits.

    Returns:
        (domains, domains) and (domains,): a domain that does not occur stays far below the others.
    """
    domains = scores.shape[1]
    scale, shift = np.zeros((domains, domains)), np.full(domains, NEVER)
    present = np.unique(domain)
    shift[present] = 0.0
    if len(present) > 1:
        fitted = LogisticRegression(C=DOMAIN_FREEDOM, max_iter=1000).fit(scores, domain)
        # Of two classes scikit-learn gives the logit of the second alone.
        of = present[1:] if len(present) == 2 else present
        scale[:, of], shift[of] = fitted.coef_.T, fitted.intercept_
    return scale, shift
