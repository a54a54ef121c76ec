"""Fine-tuning of a transformer on who answered which task right.

Two readings of the same vector are trained together, and thrown away afterwards: the chance that each model answers,
one logistic head for each pair of domain and model over a layer of few columns; and the difficulty of the task, the
residual success of all models that answered it, which is a far cleaner target than one model's right or wrong.
Deterministic by seed on a processor; a graphics card adds in no fixed order.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from chimera_training.examples import Integers
from chimera_training.features import Floats
from chimera_training.tokens import Tokens
from chimera_training.transformer import TextTransformer, batches, device, tensors

LAYER = 24  # columns that all heads share: fewer than domains times models by far, so that they teach each other
WARM_UP = 0.1  # share of the steps over which the rate grows; then it falls to 0 along a line
WEIGHT_DECAY = 0.01  # AdamW's usual one
LARGEST_GRADIENT = 1.0  # length at which a step's gradient is cut
DIFFICULTY_WEIGHT = 1.0  # of the squared error, in squared logits, beside the cross-entropy

# Right and wrong answers that every pair of domain and model starts with.
PRIOR_ANSWERS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How to train.

    Attributes:
        epochs: Passes over the texts; a second one fits the training tasks alone.
        batch: Texts of one step.
        rate: Of the transformer's steps, the usual one for fine-tuning.
        layer_rate: Of the steps of what is trained from nothing.
        seed: Of the order of the batches, of dropout and of what starts at random.
    """

    epochs: int = 1
    batch: int = 32
    rate: float = 5e-5
    layer_rate: float = 1e-3
    seed: int = 0


DEFAULT_SCHEDULE = Schedule()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """What to learn from.

    Attributes:
        texts: n normalised texts.
        domain: (n,) index of the domain.
        success: (n, models) share of right answers; NaN where a model was not asked.
        difficulty: (n,) in logits of failure, relative to the domain.
        weight: (n,) 0 to 1, how well the difficulty is known.
        domains: Number of domains.
    """

    texts: Sequence[str]
    domain: Integers
    success: Floats
    difficulty: Floats
    weight: Floats
    domains: int


def fine_tune(
    model: TextTransformer,
    tokens: Tokens,
    lessons: Lessons,
    schedule: Schedule = DEFAULT_SCHEDULE,
    *,
    on_batch: Callable[[int, int], None] = lambda _done, _all: None,
) -> list[float]:
    """Train a transformer in place.

    Args:
        model: To be changed.
        tokens: Its tokenizer.
        lessons: At least one.
        schedule: How to train.
        on_batch: Told the number of batches done and of all.

    Returns:
        The loss of every batch, in the order taken.
    """
    with torch.random.fork_rng():
        torch.manual_seed(schedule.seed)
        rows = [tokens.numbers(text) for text in lessons.texts]
        order = list(_order(rows, schedule))
        heads = _Heads(model.width, lessons).to(device())
        steps = _Steps(model.to(device()).train(), heads, schedule, len(order))
        losses = []
        for done, places in enumerate(order, start=1):
            losses.append(steps.take(_loss(model, heads, rows, lessons, places)))
            on_batch(done, len(order))
    model.eval()
    return losses


def _order(rows: Sequence[Sequence[int]], schedule: Schedule) -> Iterator[list[int]]:
    parts, chance = batches(rows, schedule.batch), np.random.default_rng(schedule.seed)
    for _ in range(schedule.epochs):
        yield from (parts[number] for number in chance.permutation(len(parts)))


class _Heads(torch.nn.Module):  # type: ignore[misc] # torch's types are not read
    """From vectors to logits of success (n, models) and the difficulty (n,)."""

    def __init__(self, width: int, lessons: Lessons) -> None:
        super().__init__()
        models = lessons.success.shape[1]
        self.scale = width**0.5  # vectors have length 1; a layer expects columns of about 1
        self.layer = torch.nn.Linear(width, LAYER)
        self.cells = torch.nn.Parameter(torch.randn(lessons.domains, models, LAYER) / LAYER)
        self.bias = torch.nn.Parameter(torch.from_numpy(_cell_logits(lessons)).float())
        self.difficulty = torch.nn.Linear(LAYER, 1)

    def forward(self, vectors: Any, domain: Any) -> tuple[Any, Any]:
        shared = self.layer(vectors * self.scale)
        logits = torch.einsum("nk,nmk->nm", shared, self.cells[domain]) + self.bias[domain]
        return logits, self.difficulty(shared).squeeze(1)


def _cell_logits(lessons: Lessons) -> Floats:
    """Return the logit of success of every pair, (domains, models): what is left to learn differs inside the pair."""
    logits = np.zeros((lessons.domains, lessons.success.shape[1]))
    for domain in np.unique(lessons.domain):
        answers = lessons.success[lessons.domain == domain]
        right = np.nansum(answers, axis=0) + PRIOR_ANSWERS
        wrong = np.nansum(1 - answers, axis=0) + PRIOR_ANSWERS
        logits[domain] = np.log(right / wrong)
    return logits


class _Steps:
    """AdamW, its rate growing and then falling."""

    def __init__(self, model: TextTransformer, heads: _Heads, schedule: Schedule, count: int) -> None:
        self._parameters = [*model.parameters(), *heads.parameters()]
        groups = [
            {"params": model.parameters(), "lr": schedule.rate},
            {"params": heads.parameters(), "lr": schedule.layer_rate},
        ]
        self._optimiser = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY)
        warm = max(1.0, WARM_UP * count)
        self._rates = torch.optim.lr_scheduler.LambdaLR(
            self._optimiser, lambda step: min((step + 1) / warm, (count - step) / max(1.0, count - warm))
        )

    def take(self, loss: Any) -> float:
        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, LARGEST_GRADIENT)
        self._optimiser.step()
        self._rates.step()
        return float(loss.detach())


def _loss(
    model: TextTransformer, heads: _Heads, rows: Sequence[Sequence[int]], lessons: Lessons, places: list[int]
) -> Any:
    place = device()
    vectors = model(*tensors([rows[number] for number in places], place))
    logits, difficulty = heads(vectors, torch.from_numpy(lessons.domain[places]).to(place))
    success = torch.from_numpy(lessons.success[places]).float().to(place)
    truth, weight = (torch.from_numpy(v[places]).float().to(place) for v in (lessons.difficulty, lessons.weight))
    return _wrong(logits, success) + DIFFICULTY_WEIGHT * _missed(difficulty, truth, weight)


def _wrong(logits: Any, success: Any) -> Any:
    """Return the mean cross-entropy over the answers there are."""
    asked = ~success.isnan()
    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits[asked], success[asked], reduction="sum")
    return losses / asked.sum().clamp(min=1)


def _missed(difficulty: Any, truth: Any, weight: Any) -> Any:
    """Return the weighted mean of the squared error."""
    return (weight * (difficulty - truth) ** 2).sum() / weight.sum().clamp(min=1e-6)
