"""Which engine profile is in force for a model."""

from collections.abc import Callable

from chimera_operator.planning.situation import Situation
from chimera_operator.rendering.profiles import PROFILES


def engine_profile(situation: Situation, revised: Callable[[str], frozenset[str]]) -> str:
    """Return the profile that the pool names, else that with which the model was deployed, else the newest.

    A newer operator so restarts nothing. Where the status is lost, the replicas themselves tell their profile.

    Args:
        situation: The model.
        revised: Returns the revisions that its replicas would have with a profile.
    """
    engine = situation.member.model.engine
    if engine.profile:
        return engine.profile
    before = situation.before.engine_profile if situation.before else ""
    if before and before not in _of_other_engines(engine.type):
        return before  # also one that this operator does not know: rendering says so, and nothing restarts
    known = [profile.name for profile in PROFILES[engine.type]]
    there = {each.deployment.revision for each in situation.alternatives if each.deployment}
    return next((name for name in reversed(known) if there and revised(name) & there), known[-1])


def _of_other_engines(kind: str) -> frozenset[str]:
    return frozenset(each.name for other, profiles in PROFILES.items() if other != kind for each in profiles)
