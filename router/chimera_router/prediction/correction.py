"""Online correction: what came true shifts each model's predicted lengths and confidence, within bounds.

The answers of an application that can be told apart teach the lengths of that application (`applications`); all others
teach those of their model. So a chatty application lengthens nobody else's predictions.

Pure: time is an argument. Each tenant's evidence is an exponentially forgetting mean of its own; a model's correction
is the mean of those means. A tenant weighs no more than `Terms.cap` observations in it, however many it sends, so while
others behave it moves a correction by at most `limit x cap / (cap + what the others weigh)`: half of the range where
another one has `cap` observations, a third where two have.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from chimera_router.prediction.applications import Applications
from chimera_router.prediction.port import Judgement, Observation

# Tenants remembered for each model. Every observation looks at all of them, which takes 0.1 ms for 64; the one heard of
# longest ago makes room.
TENANTS = 64

_CERTAIN = 1e-6  # a share this close to 0 or 1 is as far as logits tell apart; the terms' limits bind long before


def _logit(share: float) -> float:
    share = min(max(share, _CERTAIN), 1.0 - _CERTAIN)
    return math.log(share / (1.0 - share))


def _same(value: float) -> float:
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How far and how fast a correction moves.

    Attributes:
        limit: Largest correction either way, on the scale that it is added on.
        cap: Observations that one tenant may weigh. The newest moves a full tenant's mean by 1 / cap, so an observation
            is forgotten at the factor 1 - 1 / cap.
        enough: Observations that a correction is trusted at; fewer are filled up with ones that agree.
        half_life: Seconds in which a silent tenant's weight halves.
        scale: From the mean of what is observed to the scale that corrections are added on.
    """

    limit: float
    cap: float
    enough: float
    half_life: float
    scale: Callable[[float], float]


# Logs of tokens. A bundle that is off by more than four was trained for another model. A full tenant's mean is over
# 2 x cap - 1 = 63 answers in effect: where answers scatter by a factor of e, its standard error is 1 / 8, about 13 %.
LENGTH = Terms(limit=math.log(4.0), cap=32.0, enough=32.0, half_life=3600.0, scale=_same)

# Logits. 1.5 takes even odds to 18 or 82 %. Feedback is rarer than answers, hence the longer memory: a day.
CONFIDENCE = Terms(limit=1.5, cap=64.0, enough=64.0, half_life=86_400.0, scale=_logit)


@dataclass(slots=True)
class Evidence:
    """What one tenant has shown of one model.

    Attributes:
        weight: Observations it counts as.
        expected: Mean of what was predicted.
        seen: Mean of what came true.
        at: Seconds since the Unix epoch of the last observation.
    """

    weight: float = 0.0
    expected: float = 0.0
    seen: float = 0.0
    at: float = 0.0

    def add(self, expected: float, seen: float, *, cap: float) -> None:
        """Count one more observation; past the cap it takes the place of older ones."""
        self.weight = min(self.weight + 1.0, cap)
        self.expected += (expected - self.expected) / self.weight
        self.seen += (seen - self.seen) / self.weight

    def fade(self, at: float, *, half_life: float) -> None:
        """Let the weight decay until a time; a clock that went back changes nothing."""
        if at > self.at:
            self.weight *= 0.5 ** ((at - self.at) / half_life)
            self.at = at


@dataclass(slots=True)
class Correction:
    """One number by which one model's predictions are shifted.

    Attributes:
        value: What to add now, between -terms.limit and terms.limit.
        tenants: Evidence by the tenant's digest, the one heard of last at the end.
    """

    terms: Terms
    value: float = 0.0
    tenants: OrderedDict[str, Evidence] = field(default_factory=OrderedDict)

    def observe(self, *, tenant: str, expected: float, seen: float, at: float) -> None:
        """Take one observation into account.

        Args:
            tenant: Opaque digest of whose it is.
            expected: What was predicted before any correction, as `terms.scale` takes it.
            seen: What came true, likewise.
            at: Seconds since the Unix epoch.
        """
        for evidence in self.tenants.values():
            evidence.fade(at, half_life=self.terms.half_life)
        own = self.tenants.get(tenant)
        if own is None:
            own = self.tenants[tenant] = Evidence(at=at)
        own.add(expected, seen, cap=self.terms.cap)
        self.tenants.move_to_end(tenant)
        if len(self.tenants) > TENANTS:
            self.tenants.popitem(last=False)
        self.settle()

    def settle(self) -> None:
        """Bring `value` in line with the evidence."""
        weights = pulled = 0.0
        for evidence in self.tenants.values():
            weights += evidence.weight
            pulled += evidence.weight * self._shift(evidence)
        self.value = pulled / max(weights, self.terms.enough)

    def _shift(self, evidence: Evidence) -> float:
        shift = self.terms.scale(evidence.seen) - self.terms.scale(evidence.expected)
        return min(max(shift, -self.terms.limit), self.terms.limit)


@dataclass(slots=True)
class ModelCorrection:
    """What is corrected of one model: logs of its lengths, logits of its confidence."""

    length: Correction = field(default_factory=lambda: Correction(LENGTH))
    confidence: Correction = field(default_factory=lambda: Correction(CONFIDENCE))

    @property
    def length_factor(self) -> float:
        """What predicted tokens are multiplied by, 1/4 to 4."""
        return math.exp(self.length.value)


class Corrections:
    """The corrections of all models, by name, and of applications; outlives any one configuration and bundle."""

    def __init__(self) -> None:
        self.by_model: dict[str, ModelCorrection] = {}
        self.applications = Applications()

    def __iter__(self) -> Iterator[tuple[str, float, float]]:
        """Yield model, length factor and confidence correction in logits."""
        for name, model in self.by_model.items():
            yield name, model.length_factor, model.confidence.value

    def observe(self, observation: Observation) -> None:
        """Learn a length; one that no bundle predicted, or that the client's limit made, teaches nothing."""
        if observation.predicted_tokens is None:
            return
        expected, seen = _log_tokens(observation.predicted_tokens), _log_tokens(observation.output_tokens)
        if observation.fingerprint:
            self.applications.observe(
                tenant=observation.tenant,
                fingerprint=observation.fingerprint,
                model=observation.model,
                missed=seen - expected - self._model(observation.model).length.value,
            )
        else:
            self._observe_model(observation, expected, seen)

    def judge(self, judgement: Judgement) -> None:
        """Learn from feedback."""
        confidence = self._model(judgement.model).confidence
        confidence.observe(
            tenant=judgement.tenant, expected=judgement.confidence, seen=judgement.success, at=judgement.at
        )

    def of(self, names: Sequence[str]) -> tuple[list[float], list[float]]:
        """Return length factors and confidence corrections in logits, in the order of names."""
        known = [self.by_model.get(name) for name in names]
        return [each.length_factor if each else 1.0 for each in known], [
            each.confidence.value if each else 0.0 for each in known
        ]

    def _observe_model(self, observation: Observation, expected: float, seen: float) -> None:
        seen = min(max(seen, expected - LENGTH.limit), expected + LENGTH.limit)  # a bounded step: one is no trend
        length = self._model(observation.model).length
        length.observe(tenant=observation.tenant, expected=expected, seen=seen, at=observation.at)

    def _model(self, name: str) -> ModelCorrection:
        model = self.by_model.get(name)
        if model is None:
            model = self.by_model[name] = ModelCorrection()
        return model


def corrected(confidence: float, logits: float) -> float:
    """Return a chance moved by so many logits; exactly the same where there is nothing to correct."""
    odds = math.exp(logits)
    return confidence * odds / (1.0 + confidence * (odds - 1.0))


def _log_tokens(tokens: float) -> float:
    return math.log(max(1.0, tokens))
