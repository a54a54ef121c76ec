"""Whether a pool's status tells what its clients see."""

from collections.abc import Iterator, Sequence

from served_pools import Look
from steady_chats import Chat

LAG = 5.0  # seconds that a status may be behind a loss: what clients missed all this while it has to tell
BACK = 12.0  # seconds that it may be behind a return: so late Envoy Gateway says itself that an Envoy is there again
AHEAD = 3.0  # seconds that it may be ahead of what clients see: gateways learn later of what comes and goes
REFUSED = 1.0  # seconds within which a chat fails that found nobody; one that failed later had been taken
FEW = 3  # chats with a model that tell something


def lies(looks: Sequence[Look], chats: Sequence[Chat]) -> list[str]:
    """Return what a pool's status said against what clients saw.

    It must not be ready, or say that it is degraded, where a model served nobody; and be ready where all served, unless
    none of a model's replicas is what is wished by now.

    Args:
        looks: What it said, and when.
        chats: What clients saw.
    """
    return [lie for look in looks for lie in _lies(look, chats)]


def unserved(look: Look, chats: Sequence[Chat]) -> set[str]:
    """Return the models that refused all that asked for them, before and after somebody looked."""
    return {
        name
        for name, asked in _recent(look, chats, LAG).items()
        if len(asked) >= FEW and all(each.failure and each.ended - each.began < REFUSED for each in asked)
    }


def _lies(look: Look, chats: Sequence[Chat]) -> Iterator[str]:
    conditions = {each["type"]: each for each in look.status.get("conditions", [])}
    holding = {kind for kind, each in conditions.items() if each["status"] == "True"}
    if (missed := unserved(look, chats)) and "Ready" in holding and "Degraded" not in holding:
        yield f"at {look.at:.1f} nobody got an answer of {sorted(missed)}: {conditions['Ready']}"
    if _all_served(look, chats) and "Ready" not in holding and not _out_of_date(look):
        yield f"at {look.at:.1f} all got answers: {conditions.get('Ready')}"


def _all_served(look: Look, chats: Sequence[Chat]) -> bool:
    recent = _recent(look, chats, BACK).values()
    return all(len(asked) >= FEW and not any(each.failure for each in asked) for asked in recent)


def _out_of_date(look: Look) -> bool:
    """Return whether a model is served by replicas of an older revision only, which is not ready by its definition."""
    models = look.status.get("models", [])
    return any(each.get("readyReplicas") and not each.get("updatedReadyReplicas") for each in models)


def _recent(look: Look, chats: Sequence[Chat], seconds: float) -> dict[str, list[Chat]]:
    """Return the chats that began from so many seconds before somebody looked, by the model that was asked for."""
    found: dict[str, list[Chat]] = {each.asked: [] for each in chats}
    for each in chats:
        if look.at - seconds <= each.began <= look.at + AHEAD:
            found[each.asked].append(each)
    return found
