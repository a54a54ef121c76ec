"""Candidates for tests of policies."""

from pools import busy, endpoint, model, prediction, state

from chimera_router.scheduling.policies import Candidate, Choice
from chimera_router.scheduling.types import Verdict


def candidate(
    name: str,
    *,
    latency: float = 1.0,
    confidence: float = 0.5,
    delay: float = 0.0,
    running: int = 0,
    parameters_b: float = 0.0,
    tokens: float = 100.0,
) -> Candidate:
    return Candidate(
        model=model(name, parameters_b=parameters_b),
        state=state(endpoint(f"{name}-0", name), load=busy(running)),
        latency=latency,
        delay=delay,
        prediction=prediction(confidence, tokens),
    )


def chosen(choice: Choice) -> str | None:
    """Return the model that was chosen, of which the verdicts must know."""
    names = [name for name, verdict in choice.verdicts.items() if verdict is Verdict.CHOSEN]
    assert names == ([choice.chosen.model.name] if choice.chosen else [])
    return names[0] if names else None
