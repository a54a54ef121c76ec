"""What each picker of a pool knows of a workflow by itself, and how that adds up.

Every picker writes its own part and reads those of the others, so that no two ever write the same thing: stages and
tokens of all parts are summed, and of what only the latest request says the part that saw it speaks. Whatever the
order in which parts are read, and however often, the sum is the same.
"""

from collections.abc import Collection, Mapping
from dataclasses import field, replace
from operator import attrgetter

from chimera_router.scheduling.types import Assignment
from chimera_router.values import value
from chimera_router.workflow.program import Choice, Program, Untold

# Digests of the latest answer in a part: an answer of one choice has two, and one more for each call of a tool.
LATEST = 16


@value(kw_only=True)
class Part:
    """One picker's part of a workflow, or several pickers' parts put together.

    Attributes:
        id: The workflow's.
        asked: Seconds when its latest request came here, on the clock of whoever holds the part.
        stages: Requests that came here and were stages of their own.
        tokens: Output tokens of those stages that have ended.
        last_tokens: Output tokens of the latest stage that has ended.
        largest_tokens: Output tokens of the longest stage that has ended.
        assignment: Where the latest request went.
        choice: What feedback will be held against.
        digest: Of the latest request's messages.
        answered: Whether that request has its answer, or is still to get it.
        latest: Digests of the latest answer, while no request has followed it.
        request_id: Of the latest request; empty where it had none.
        responses: Where responses that it may go on from are kept, by digest.
        judged: Whether it has had its feedback.
        untold: The latest answer, where it passed unseen.
    """

    id: str
    asked: float
    stages: int = 0
    tokens: int = 0
    last_tokens: int = 0
    largest_tokens: int = 0
    assignment: Assignment | None = None
    choice: Choice | None = None
    digest: bytes = b""
    answered: bool = False
    latest: tuple[bytes, ...] = ()
    request_id: str = ""
    responses: Mapping[bytes, Assignment] = field(default_factory=dict)
    judged: bool = False
    untold: Untold | None = None


def own(program: Program) -> Part:
    """Return what this picker's requests have made of a workflow."""
    return Part(
        id=program.id,
        asked=program.asked,
        stages=program.stage + 1 - program.elsewhere_stages,
        tokens=program.tokens - program.elsewhere_tokens,
        last_tokens=program.last_tokens,
        largest_tokens=program.largest_tokens,
        assignment=program.assignment,
        choice=program.choice,
        digest=program.digest,
        answered=program.answered or program.in_flight > 0,
        latest=program.latest[:LATEST],
        request_id=program.request_id,
        responses=dict(program.responses),
        judged=program.judged,
        untold=program.untold,
    )


def merged(parts: Collection[Part]) -> Part:
    """Return what the parts of one workflow, at least one, add up to."""
    newest = max(parts, key=attrgetter("asked"))
    return replace(
        newest,
        stages=sum(part.stages for part in parts),
        tokens=sum(part.tokens for part in parts),
        largest_tokens=max(part.largest_tokens for part in parts),
        responses={key: held for part in parts for key, held in part.responses.items()},
        judged=any(part.judged for part in parts),
    )


def absorb(program: Program, part: Part) -> bool:
    """Take into a workflow what others have made of it; return whether its latest request went to them.

    What was taken before is not taken twice, and what was counted stays counted where others have forgotten it.
    """
    stages, tokens = max(part.stages, program.elsewhere_stages), max(part.tokens, program.elsewhere_tokens)
    program.stage = max(0, program.stage + stages - program.elsewhere_stages)
    program.tokens += tokens - program.elsewhere_tokens
    program.elsewhere_stages, program.elsewhere_tokens = stages, tokens
    program.largest_tokens = max(program.largest_tokens, part.largest_tokens)
    program.judged |= part.judged
    if part.asked <= program.asked:
        return False
    program.asked, program.last_tokens, program.assignment = part.asked, part.last_tokens, part.assignment
    program.digest, program.answered, program.latest = part.digest, part.answered, part.latest
    program.choice, program.untold = part.choice or program.choice, part.untold
    return True
