"""What is true of the pool: of its spec, its pickers, its route, and of all its models together."""

from collections.abc import Iterator, Mapping, Sequence

from chimera_operator.api.conditions import ConditionType, Finding
from chimera_operator.planning.capacity.fit import fit
from chimera_operator.planning.choosing.picker import Pickers
from chimera_operator.planning.status.assessment import Assessment
from chimera_operator.planning.status.findings import told

OfModels = Mapping[str, Sequence[Finding]]
"""What is true of each model, by its name."""


def verdict(
    models: Sequence[Assessment], found: OfModels, pickers: Pickers, programmed: Finding
) -> tuple[Finding, ...]:
    """Return what is true of the pool, in the order in which status tells it."""
    return (
        _accepted(models),
        programmed,
        _progressing(found, pickers),
        _ready(found, pickers, programmed),
        _degraded(found, pickers),
        _any(ConditionType.CAPACITY_LIMITED, found, calm="Sufficient"),
    )


def _accepted(models: Sequence[Assessment]) -> Finding:
    """Return that the spec is accepted, with what may go wrong with it."""
    warnings = "; ".join(f"{model.name}: {sentence}" for model in models for sentence in _misfits(model))
    reason, message = ("MayNotFit", warnings) if warnings else ("Accepted", "the spec keeps all rules")
    return Finding(type=ConditionType.ACCEPTED, status="True", reason=reason, message=message)


def _misfits(model: Assessment) -> Iterator[str]:
    spec = model.situation.member.model
    for accelerator in spec.accelerators:
        judged = fit(spec, accelerator)
        if judged.verdict == "TooLarge":
            yield judged.message


def _progressing(found: OfModels, pickers: Pickers) -> Finding:
    kind = ConditionType.PROGRESSING
    if pickers.deployment is None or pickers.rolling:
        return Finding(type=kind, status="True", reason="PickerRollingOut", message="the picker is being replaced")
    merged = _any(kind, found, calm="Complete")
    if merged.status == "True":
        return merged
    halted = [(name, each) for name, each in _of(kind, found) if each.reason != "Complete"]
    return Finding(type=kind, status="False", reason=halted[0][1].reason, message=_joined(halted)) if halted else merged


def _ready(found: OfModels, pickers: Pickers, programmed: Finding) -> Finding:
    kind = ConditionType.READY
    if not pickers.serving:
        return Finding(type=kind, status="False", reason="PickerNotReady", message="no picker decides")
    if away := [(name, each) for name, each in _of(kind, found) if each.status != "True"]:
        return Finding(type=kind, status="False", reason="ModelsNotReady", message=_joined(away))
    if programmed.status != "True":
        return Finding(type=kind, status="False", reason="NotProgrammed", message=programmed.message)
    return Finding(type=kind, status="True", reason="Serving", message="every model is served")


def _degraded(found: OfModels, pickers: Pickers) -> Finding:
    merged = _any(ConditionType.DEGRADED, found, calm="NoFailure")
    if not pickers.causes:
        return merged
    sentences = [f"picker: {told(pickers.causes)}", *([merged.message] if merged.message else [])]
    reason = pickers.causes[0].reason.value
    return Finding(type=ConditionType.DEGRADED, status="True", reason=reason, message="; ".join(sentences))


def _any(kind: ConditionType, found: OfModels, *, calm: str) -> Finding:
    """Return a condition that holds for the pool as soon as it holds for one model."""
    holding = [(name, each) for name, each in _of(kind, found) if each.status == "True"]
    if not holding:
        return Finding(type=kind, status="False", reason=calm)
    return Finding(type=kind, status="True", reason=holding[0][1].reason, message=_joined(holding))


def _of(kind: ConditionType, found: OfModels) -> list[tuple[str, Finding]]:
    return [(name, each) for name, findings in found.items() for each in findings if each.type == kind]


def _joined(findings: Sequence[tuple[str, Finding]]) -> str:
    return "; ".join(f"{name}: {each.message or each.reason}" for name, each in findings)
