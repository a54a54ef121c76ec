"""Applications learned online: by what factor the answers of each are longer than was predicted without knowing it.

    log factor = level(application) + effect(application, model)

as `chimera_training.encodings` has it, with the same smoothing, of what the predictions missed. It is added to what the
length trees answer and not fed to them, so that an application may be chattier than all that they were trained on. An
application of the bundle has its own encodings in the trees, and moves on from there.

What is observed is one answer; when a workflow ends is not. So the factor is of this call's tokens, and the remaining
tokens follow by the same factor.

Pure. An application belongs to one tenant: no answer to another tenant moves it, and no flood of applications of
another tenant makes it forgotten.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from chimera_training.encodings import APPLICATION_SHRINKAGE, LEVEL_SHRINKAGE, shrunk

# Kept of one tenant, and tenants that any are kept of; the one heard of longest ago makes room. About 1 KB each, so
# 4 MB at most.
APPLICATIONS = 64
TENANTS = 64

# Largest log of a factor. First answers of recorded task sets lie between 44 and 290 tokens in the geometric mean;
# applications that answer with one word, or with pages, are up to 16 away from these.
LIMIT = math.log(16.0)

# How far from what is believed an answer may count, in logs. Predictions are medians and answers scatter more upwards,
# so that their plain mean would be too long: at 0.5, on recorded workflows taken for unknown applications, the error of
# a call falls by 1.4 % where the mean raises it, and a bias of e is made up for as fast.
STEP = 0.5

# Answers that a mean weighs at most: the newest then moves it by 1 / 64, so an answer is forgotten at the factor
# 1 - 1 / 64. Twice that of a model's correction, since an application's traffic is thinner and changes only with its
# releases.
CAP = 64.0


@dataclass(slots=True)
class Mean:
    """An exponentially forgetting mean.

    Attributes:
        weight: Values it counts as.
        mean: Of them; a log of tokens over predicted tokens.
    """

    weight: float = 0.0
    mean: float = 0.0

    def add(self, value: float) -> None:
        """Count one more value; past the cap it takes the place of older ones."""
        self.weight = min(self.weight + 1.0, CAP)
        self.mean += (value - self.mean) / self.weight

    def shrunk(self, shrinkage: float) -> float:
        """Return the mean as if so many values of 0 stood beside its own."""
        return shrunk(self.weight * self.mean, self.weight, shrinkage)


@dataclass(slots=True)
class Application:
    """What one application has shown.

    Attributes:
        level: Of its answers, whichever model gave them.
        effects: What the level leaves over, by model.
    """

    level: Mean = field(default_factory=Mean)
    effects: dict[str, Mean] = field(default_factory=dict)

    def observe(self, model: str, missed: float) -> None:
        """Learn from one answer the log of its tokens over those predicted without knowing the application."""
        believed = self._log_factor(model)
        missed = _clipped(believed + min(max(missed - believed, -STEP), STEP))
        self.level.add(missed)
        self.effects.setdefault(model, Mean()).add(missed - self.level.shrunk(LEVEL_SHRINKAGE))

    def factor(self, model: str) -> float:
        """Return what predicted tokens are multiplied by, 1/16 to 16."""
        return math.exp(self._log_factor(model))

    def _log_factor(self, model: str) -> float:
        effect = self.effects.get(model)
        own = effect.shrunk(APPLICATION_SHRINKAGE) if effect else 0.0
        return _clipped(self.level.shrunk(LEVEL_SHRINKAGE) + own)


def _clipped(log_factor: float) -> float:
    return min(max(log_factor, -LIMIT), LIMIT)


@dataclass(slots=True)
class Applications:
    """All that were learned, by tenant and fingerprint, those heard of last at the end.

    Attributes:
        forgotten: How many made room for others.
    """

    by_tenant: OrderedDict[str, OrderedDict[str, Application]] = field(default_factory=OrderedDict)
    forgotten: int = 0

    def __len__(self) -> int:
        return sum(map(len, self.by_tenant.values()))

    def observe(self, *, tenant: str, fingerprint: str, model: str, missed: float) -> None:
        """Learn from one answer.

        Args:
            tenant: Opaque digest of whose it is.
            fingerprint: Of the application, not empty.
            model: That answered.
            missed: Log of the answer's tokens over those predicted without knowing the application.
        """
        own = self.by_tenant.setdefault(tenant, OrderedDict())
        own.setdefault(fingerprint, Application()).observe(model, missed)
        own.move_to_end(fingerprint)
        self.by_tenant.move_to_end(tenant)
        self._make_room(own)

    def factors(self, *, tenant: str, fingerprint: str, models: Sequence[str]) -> list[float] | None:
        """Return what the predicted tokens of each model are multiplied by; None of an application not learned."""
        own = self.by_tenant.get(tenant)
        found = own.get(fingerprint) if own else None
        return [found.factor(model) for model in models] if found else None

    def _make_room(self, own: OrderedDict[str, Application]) -> None:
        if len(own) > APPLICATIONS:
            own.popitem(last=False)
            self.forgotten += 1
        if len(self.by_tenant) > TENANTS:
            _, dropped = self.by_tenant.popitem(last=False)
            self.forgotten += len(dropped)
