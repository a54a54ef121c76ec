"""The program table: what is known of every workflow that may send another request."""

from collections.abc import Callable

from chimera_router.errors import AlreadyJudged, UnknownResponse, UnknownWorkflow
from chimera_router.parsing.replies import Answer
from chimera_router.scheduling.types import Assignment
from chimera_router.values import value
from chimera_router.workflow.conversation import Conversation, response_key
from chimera_router.workflow.evidence import EvidenceIndex, continued, retried
from chimera_router.workflow.identity import Claim, FoundBy
from chimera_router.workflow.program import Choice, Program, Untold
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
    """

    def __init__(self, *, new_id: Callable[[], str], limits: TableLimits | None = None) -> None:
        self.opened = 0
        self._new_id = new_id
        self._store = ProgramStore(limits or TableLimits(), self._forget)
        self._evidence = EvidenceIndex()
        self._by_request: dict[tuple[str, str], Program] = {}

    def __len__(self) -> int:
        return len(self._store)

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
        program = known or self._open(conversation.tenant, claim)
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
        keys = asked.replied(answer.replies)
        self._evidence.add(program, keys)
        if program.digest == asked.digest:
            program.latest = keys
        if answer.id:
            key = response_key(asked.tenant, answer.id)
            program.responses[key] = made_at
            self._evidence.add(program, (key,))

    def finish(self, program: Program, *, output_tokens: int) -> None:
        """Add what a stage generated."""
        program.tokens += output_tokens
        program.last_tokens = output_tokens
        program.largest_tokens = max(program.largest_tokens, output_tokens)
        program.answered = True

    def passed(self, program: Program, untold: Untold) -> None:
        """Note that a stage was answered, but not what it was told."""
        program.answered = True
        program.untold = untold

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

    def _made(self, conversation: Conversation) -> tuple[Program | None, Assignment | None]:
        if not conversation.previous:
            return None, None
        for program in self._evidence.holders(conversation.previous):
            return program, program.responses[conversation.previous]
        raise UnknownResponse

    def _found(self, conversation: Conversation, *, retry: bool, now: float) -> Program | None:
        again = retried(self._evidence, conversation, now=now, stated=retry)
        return again or continued(self._evidence, conversation)

    def _ask(self, program: Program, digest: bytes, now: float) -> None:
        """Make a request the latest of its workflow; the same messages again are a retry, not a stage."""
        if program.digest and program.digest != digest:
            program.stage += 1
            program.latest = ()
        program.digest, program.answered = digest, False
        program.in_flight += 1
        self._evidence.add(program, (digest,))
        self._store.touch(program, now)

    def _open(self, tenant: str, claim: Claim | None) -> Program:
        program = Program(tenant=tenant, id=claim.id if claim else self._new_id(), ordinal=self.opened)
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


def _found_by(known: Program | None, claim: Claim | None, held: Assignment | None) -> FoundBy:
    if known is None:
        return FoundBy.NEW
    if claim:
        return claim.found_by
    return FoundBy.RESPONSE if held else FoundBy.MESSAGES
