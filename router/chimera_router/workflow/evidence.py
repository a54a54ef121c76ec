"""Which workflows a digest belongs to, and which of them a conversation goes on from."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from chimera_router.workflow.conversation import Conversation, Turn
from chimera_router.workflow.program import Program

# Digests kept of a workflow: of its latest dozen of stages, each of which has three or four.
KEYS = 48

# Workflows kept of a digest. More than so many that ask the same at once are told apart by their replies alone.
HOLDERS = 32

# Seconds within which a first request that comes again after it failed is the same client trying again: SDKs wait up
# to 8 s between attempts, proxies up to 30 s. Later, or while the first is answered, it is somebody who asks the same.
RETRY_WINDOW = 60.0

Programs = tuple[Program, ...]


@dataclass(slots=True)
class EvidenceIndex:
    """Workflows by the digests of what they asked and were told; bounded for each workflow and each digest."""

    _holders: dict[bytes, Programs] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._holders)

    def holders(self, key: bytes) -> Programs:
        """Return the workflows that a digest belongs to, latest last."""
        return self._holders.get(key, ())

    def add(self, program: Program, keys: Sequence[bytes]) -> None:
        """Let these digests lead to a workflow; its oldest ones are forgotten past the bound."""
        for key in keys:
            held = self.holders(key)
            if program not in held:
                self._holders[key] = (*held, program)[-HOLDERS:]
                program.keys.append(key)
        while len(program.keys) > KEYS:
            self._remove(program, program.keys.popleft())

    def forget(self, program: Program) -> None:
        """Let nothing lead to a workflow any more."""
        for key in program.keys:
            self._remove(program, key)
        program.keys.clear()

    def _remove(self, program: Program, key: bytes) -> None:
        program.responses.pop(key, None)
        left = tuple(holder for holder in self.holders(key) if holder is not program)
        if left:
            self._holders[key] = left
        else:
            self._holders.pop(key, None)


def retried(index: EvidenceIndex, asked: Conversation, *, now: float, stated: bool) -> Program | None:
    """Return the workflow whose latest request these very messages were, if that one failed.

    Args:
        index: What was seen.
        asked: The request.
        now: Seconds on a monotonic clock.
        stated: Whether the client says that it tries again; it may do so before the picker knows of the failure.
    """
    same = [program for program in index.holders(asked.digest) if program.digest == asked.digest]
    open_ = [program for program in same if not program.answered]
    failed = [program for program in open_ if not program.in_flight]
    recent = [program for program in failed if program.stage or now - program.touched <= RETRY_WINDOW]
    return next(iter(recent or (reversed(open_ or same) if stated else ())), None)


def continued(index: EvidenceIndex, asked: Conversation) -> Program | None:
    """Return the workflow that a conversation goes on from: the one it shares the longest run of messages with.

    The latest reply that was seen decides; earlier ones break ties. Of workflows that said and were told the same, one
    that waits for its next request goes on, the one that has waited longest first.
    """
    candidates: Programs = ()
    for turn in asked.turns:
        candidates = _narrowed(candidates, index, turn) if candidates else _told(index, turn)
        if len(candidates) == 1:
            break
    if candidates:
        return min(candidates, key=lambda program: _readiness(program, asked.turns))
    return _answered_otherwise(index, asked)


def _told(index: EvidenceIndex, turn: Turn) -> Programs:
    """Return the workflows that this reply was given to, best evidence first: asked so, of this task, at all."""
    replied = index.holders(turn.reply)
    asked_so = _among(replied, index.holders(turn.prefix))
    if asked_so:
        return asked_so
    if replied and turn.telling:
        return replied
    alone = (index.holders(key) for key in turn.unique)
    return next((holders for holders in alone if len(holders) == 1), ())


def _narrowed(candidates: Programs, index: EvidenceIndex, turn: Turn) -> Programs:
    for key in (turn.prefix, turn.reply):
        candidates = _among(candidates, index.holders(key)) or candidates
    return candidates


def _among(programs: Programs, others: Collection[Program]) -> Programs:
    return tuple(program for program in programs if program in others)


def _readiness(program: Program, turns: Sequence[Turn]) -> tuple[bool, float]:
    waits = any(turn.reply in program.latest for turn in turns)
    return not waits, program.touched if waits else -program.touched


def _answered_otherwise(index: EvidenceIndex, asked: Conversation) -> Program | None:
    """Return the workflow that asked what this conversation asked before one of its replies, none of which was seen.

    The client has changed the reply, or its answer could not be read. First come those whose reply began so, then those
    that wait for their next request, then the nearest in length.
    """
    for turn in asked.turns:
        held = index.holders(turn.prefix)
        if held:
            begun = _among(held, index.holders(turn.opening))
            return min(begun or held, key=lambda program: _nearness(program, turn))
    again = (program for program in index.holders(asked.digest) if program.digest == asked.digest)
    return next((program for program in again if program.stage), None)


def _nearness(program: Program, turn: Turn) -> tuple[bool, bool, int]:
    waits = program.digest == turn.prefix
    return not waits, not program.answered, abs(program.last_tokens - turn.tokens)
