"""The program table: what is known of every workflow that may send another request."""

from collections.abc import Callable, Iterable, Sequence

from chimera_router.errors import AlreadyJudged, UnknownResponse, UnknownWorkflow
from chimera_router.parsing.replies import Answer
from chimera_router.scheduling.types import Assignment
from chimera_router.values import value
from chimera_router.workflow import recall
from chimera_router.workflow.conversation import Conversation, response_key
from chimera_router.workflow.evidence import EvidenceIndex, continued, retried
from chimera_router.workflow.identity import Claim, FoundBy
from chimera_router.workflow.parts import absorb
from chimera_router.workflow.program import Choice, Program, Untold
from chimera_router.workflow.recall import Lookup, Sighting
from chimera_router.workflow.store import ProgramStore, TableLimits

__all__ = ["Arrival", "Choice", "Program", "ProgramTable", "TableLimits", "Untold"]


@value
class Arrival:
    """A request placed in its workflow.

    Attributes:
        conversation: What it asked.
        held: Where the response that it goes on from is kept, and nowhere else; None where it states none.
    """

    program: Program
    found_by: FoundBy
    conversation: Conversation
    held: Assignment | None = None


class ProgramTable:
    """Finds each request's workflow and keeps its state, within its limits. One owner.

    Args:
        new_id: Makes the id of a workflow whose client states none.
        limits: Bounds on memory.

    Attributes:
        opened: Number of workflows so far.
        changed: Called with a workflow of which other pickers should hear, and the digests that lead to it of late.
    """

    def __init__(self, *, new_id: Callable[[], str], limits: TableLimits | None = None) -> None:
        self.opened = 0
        self.changed: Callable[[Program, Sequence[bytes]], None] = _nobody
        self._new_id = new_id
        self._store = ProgramStore(limits or TableLimits(), self._forget)
        self._evidence = EvidenceIndex()
        self._by_request: dict[tuple[str, str], Program] = {}

    def __len__(self) -> int:
        return len(self._store)

    def lookup(self, conversation: Conversation, claim: Claim | None) -> Lookup | None:
        """Return what other pickers may know better about a request that is about to arrive; None where none can."""
        if claim is None:
            return recall.unstated(conversation, self._evidence)
        known = self._store.get(conversation.tenant, claim.id)
        return recall.stated(conversation, claim.id, known, self._evidence)

    def adopt(self, tenant: str, sightings: Iterable[Sighting], now: float) -> None:
        """Take up what other pickers know of a tenant's workflows; `now` in seconds on a monotonic clock."""
        for sighting in sightings:
            part = sighting.part
            program = self._store.get(tenant, part.id) or self._open(tenant, part.id, stage=-1)
            if absorb(program, part):
                self._name_request(program, part.request_id)
            program.responses |= {key: part.responses[key] for key in sighting.keys if key in part.responses}
            self._evidence.add(program, sighting.keys)
            self._store.touch(program, now)

    def arrive(
        self, conversation: Conversation, *, claim: Claim | None = None, retry: bool = False, now: float
    ) -> Arrival:
        """Return the request's workflow, opened if none is known, and make the request its latest stage.

        Args:
            conversation: What it asks.
            claim: The id in its headers, if there is one.
            retry: Whether the client says that it sends this request again.
            now: Seconds on a monotonic clock.

        Raises:
            UnknownResponse: It goes on from a response that this tenant never got, or that is forgotten.
        """
        self._store.expire(now)
        made_by, held = self._made(conversation)
        if claim:
            known = self._store.get(conversation.tenant, claim.id)
        else:
            known = made_by or self._found(conversation, retry=retry, now=now)
        program = known or self._open(conversation.tenant, claim.id if claim else self._new_id())
        self._ask(program, conversation.digest, now)
        return Arrival(program, _found_by(known, claim, held), conversation, held)

    def assign(
        self, program: Program, assignment: Assignment, *, confidence: float, corrected: float, request_id: str
    ) -> None:
        """Remember where the latest stage went.

        Args:
            program: Whose stage.
            assignment: Where it went.
            confidence: In its model, before any correction; kept from the stage at which the model was chosen.
            corrected: The same after correction.
            request_id: Of the stage's request; empty where it has none.
        """
        program.assignment = assignment
        if program.choice is None or program.choice.model != assignment.model:
            program.choice = Choice(assignment.model, confidence, corrected)
        self._name_request(program, request_id)
        self.changed(program, (program.digest,))

    def judge(self, tenant: str, *, workflow_id: str = "", request_id: str = "", now: float) -> Choice:
        """Return what decided a workflow, for the one judgement it may have.

        Args:
            tenant: Whose workflow it is.
            workflow_id: Its id; empty finds it by request.
            request_id: Of its latest request.
            now: Seconds on a monotonic clock.

        Raises:
            UnknownWorkflow: There is none such, or it is forgotten, or nothing was decided for it.
            AlreadyJudged: It has been judged.
        """
        self._store.expire(now)
        by_id = self._store.get(tenant, workflow_id)
        program = by_id if workflow_id else self._by_request.get((tenant, request_id))
        if program is None or program.choice is None:
            raise UnknownWorkflow
        if program.judged:
            raise AlreadyJudged
        program.judged = True
        self.changed(program, ())
        return program.choice

    def remember(self, program: Program, asked: Conversation, answer: Answer, made_at: Assignment) -> None:
        """Learn what a workflow was told, by which its later requests are known.

        Args:
            program: Whose request it was.
            asked: What it asked.
            answer: What it was told.
            made_at: Where the answer was made.
        """
        if program not in self._store:
            return
        keys = said = asked.replied(answer.replies)
        if answer.id:
            key = response_key(asked.tenant, answer.id)
            program.responses[key] = made_at
            keys = (*said, key)
        self._evidence.add(program, keys)
        if program.digest == asked.digest:
            program.latest = said
        self.changed(program, keys)

    def finish(self, program: Program, *, output_tokens: int) -> None:
        """Add what a stage generated."""
        program.tokens += output_tokens
        program.last_tokens = output_tokens
        program.largest_tokens = max(program.largest_tokens, output_tokens)
        program.answered = True
        self.changed(program, ())

    def passed(self, program: Program, untold: Untold) -> None:
        """Note that a stage was answered, but not what it was told."""
        program.answered = True
        program.untold = untold
        self.changed(program, ())

    def tell(self, arrival: Arrival) -> tuple[Untold, int] | None:
        """Return the answer before a request, where it passed unseen and the request repeats it, and its tokens.

        From now on its length is known to its workflow.
        """
        program, turns = arrival.program, arrival.conversation.turns
        untold, program.untold = program.untold, None
        if untold is None or not turns:
            return None
        tokens = turns[0].tokens
        self.finish(program, output_tokens=tokens)
        program.answered = False  # of the request that has just come
        return untold, tokens

    def leave(self, program: Program, now: float) -> None:
        """Note that a request is over, answered or not; called once for every arrival."""
        program.in_flight -= 1
        self._store.touch(program, now)
        if program.assignment and not program.answered:  # it failed: whoever hears the client try again should know
            self.changed(program, (program.digest,))

    def _made(self, conversation: Conversation) -> tuple[Program | None, Assignment | None]:
        if not conversation.previous:
            return None, None
        for program in self._evidence.holders(conversation.previous):
            if held := program.responses.get(conversation.previous):
                return program, held
        raise UnknownResponse

    def _found(self, conversation: Conversation, *, retry: bool, now: float) -> Program | None:
        again = retried(self._evidence, conversation, now=now, stated=retry)
        return again or continued(self._evidence, conversation)

    def _ask(self, program: Program, digest: bytes, now: float) -> None:
        """Make a request the latest of its workflow; the same messages again are a retry, not a stage."""
        if program.digest and program.digest != digest:
            program.stage += 1
            program.latest = ()
        program.digest, program.answered, program.asked = digest, False, now
        program.in_flight += 1
        self._evidence.add(program, (digest,))
        self._store.touch(program, now)

    def _open(self, tenant: str, program_id: str, *, stage: int = 0) -> Program:
        program = Program(tenant=tenant, id=program_id, ordinal=self.opened, stage=stage)
        self.opened += 1
        self._store.add(program)
        return program

    def _name_request(self, program: Program, request_id: str) -> None:
        self._forget_request(program)
        program.request_id = request_id
        if request_id:
            self._by_request[program.tenant, request_id] = program

    def _forget_request(self, program: Program) -> None:
        place = (program.tenant, program.request_id)
        if self._by_request.get(place) is program:  # a client may use an id twice
            del self._by_request[place]

    def _forget(self, program: Program) -> None:
        self._evidence.forget(program)
        self._forget_request(program)


def _nobody(_program: Program, _keys: Sequence[bytes]) -> None:
    """Tell nobody."""


def _found_by(known: Program | None, claim: Claim | None, held: Assignment | None) -> FoundBy:
    if known is None:
        return FoundBy.NEW
    if claim:
        return claim.found_by
    return FoundBy.RESPONSE if held else FoundBy.MESSAGES
