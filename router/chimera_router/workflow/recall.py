"""What a picker asks the others about a request, and what it makes of their answers."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from chimera_router.values import value
from chimera_router.workflow.conversation import Conversation, Turn, request_key
from chimera_router.workflow.evidence import EvidenceIndex
from chimera_router.workflow.parts import Part, merged
from chimera_router.workflow.program import Program

# Replies that are asked about, latest first. Some picker of the pool has seen the latest one come from its engine; the
# one before stands in where the client has changed it.
ASKED_TURNS = 2

# Digests asked about at most: those of two replies with four calls of tools each. A look-up costs the server 1 us each.
ASKED_KEYS = 16

Name = TypeVar("Name")


@value(kw_only=True)
class Lookup:
    """What is asked about one request.

    Attributes:
        tenant: Whose request it is.
        id: Of its workflow, where it states one; empty where it does not.
        keys: Digests that may lead to its workflow, the most telling first.
    """

    tenant: str
    id: str = ""
    keys: tuple[bytes, ...] = ()


@value
class Sighting:
    """A workflow that other pickers know: their parts of it put together, and which of the digests lead to it."""

    part: Part
    keys: tuple[bytes, ...] = ()


def stated(asked: Conversation, program_id: str, known: Program | None, index: EvidenceIndex) -> Lookup | None:
    """Return what to ask about a request that states its workflow; None where nobody can know better.

    Args:
        asked: The request.
        program_id: The workflow it states.
        known: That workflow, if the picker knows it.
        index: What the picker has seen.
    """
    made_elsewhere = bool(asked.previous) and not index.holders(asked.previous)
    if known is not None and _is_latest(known, asked) and not made_elsewhere:
        return None
    return Lookup(tenant=asked.tenant, id=program_id, keys=(asked.previous,) if made_elsewhere else ())


def unstated(asked: Conversation, index: EvidenceIndex) -> Lookup | None:
    """Return what to ask about a request that states no workflow; None where nobody can know better.

    A first request follows nothing: there is nothing to ask.
    """
    if asked.previous:
        return None if index.holders(asked.previous) else Lookup(tenant=asked.tenant, keys=(asked.previous,))
    if not asked.turns or any(_is_latest(program, asked) for program in index.holders(asked.turns[0].reply)):
        return None
    keys = (key for turn in asked.turns[:ASKED_TURNS] for key in _telling(turn))
    return Lookup(tenant=asked.tenant, keys=tuple(dict.fromkeys((asked.digest, *keys)))[:ASKED_KEYS])


def judged(tenant: str, *, workflow_id: str, request_id: str) -> Lookup:
    """Return what to ask before feedback on a workflow, named by its own id or its latest request's."""
    keys = () if workflow_id else (request_key(tenant, request_id),)
    return Lookup(tenant=tenant, id=workflow_id, keys=keys)


def sighted(
    lookup: Lookup, holders: Sequence[Collection[Name]], others: Mapping[Name, Collection[Part]]
) -> tuple[Sighting, ...]:
    """Return the workflows that other pickers know.

    Args:
        lookup: What was asked.
        holders: Workflows that each of its digests leads to.
        others: Other pickers' parts of each workflow.
    """
    return tuple(
        Sighting(merged(parts), tuple(key for key, held in zip(lookup.keys, holders, strict=True) if name in held))
        for name, parts in others.items()
        if parts
    )


def _is_latest(program: Program, asked: Conversation) -> bool:
    """Return whether a request follows the latest answer of a workflow, word for word: no other picker came between."""
    return any(turn.prefix == program.digest and turn.reply in program.latest for turn in asked.turns[:1])


def _telling(turn: Turn) -> tuple[bytes, ...]:
    return turn.reply, turn.prefix, *turn.unique, turn.opening
