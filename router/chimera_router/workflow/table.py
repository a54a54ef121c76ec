"""The program table: what is known of every workflow that may send another request."""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from chimera_router.errors import AlreadyJudged, UnknownWorkflow
from chimera_router.scheduling.types import Assignment
from chimera_router.workflow.identity import Claim, Continuation, FoundBy

ProgramKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Choice:
    """The model that answers a workflow, and the confidence in it when it was chosen: before and after correction."""

    model: str
    confidence: float
    corrected: float


@dataclass(slots=True, kw_only=True)
class Program:
    """One workflow. Only the table changes it.

    Attributes:
        ordinal: Number of workflows before it.
        stage: 0-based index of its latest request.
        tokens: Output tokens of all stages that have ended.
        last_tokens: Output tokens of the latest stage that has ended.
        largest_tokens: Output tokens of the longest stage that has ended.
        assignment: Where its latest request went.
        digest: Of the latest request's messages.
        request_id: Of the latest request; empty where it had none.
        choice: What feedback will be held against; None until its first request was decided.
        judged: Whether it has had its feedback.
    """

    tenant: str
    id: str
    ordinal: int
    stage: int = 0
    tokens: int = 0
    last_tokens: int = 0
    largest_tokens: int = 0
    assignment: Assignment | None = None
    digest: bytes = b""
    request_id: str = ""
    choice: Choice | None = None
    judged: bool = False
    touched: float = 0.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request placed in its workflow."""

    program: Program
    found_by: FoundBy


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLimits:
    """Bounds on memory.

    Attributes:
        programs: Workflows kept; about 1 KB each.
        per_tenant: Workflows of one tenant, so that nobody's flood pushes out the others'.
        ttl: Seconds without a request after which a workflow is over; agents wait minutes for tools and people.
    """

    programs: int = 50_000
    per_tenant: int = 20_000
    ttl: float = 1800.0


@dataclass(slots=True)
class ProgramTable:
    """Finds each request's workflow and keeps its state, bounded by count, by age and by tenant. One owner."""

    new_id: Callable[[], str]
    limits: TableLimits = field(default_factory=TableLimits)
    opened: int = 0
    _programs: OrderedDict[ProgramKey, Program] = field(default_factory=OrderedDict)
    _by_digest: dict[tuple[str, bytes], list[Program]] = field(default_factory=dict)
    _by_request: dict[tuple[str, str], Program] = field(default_factory=dict)
    _per_tenant: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self._programs)

    def arrive(
        self, *, tenant: str, claim: Claim | None, digest: bytes, continuations: list[Continuation], now: float
    ) -> Arrival:
        """Return the request's workflow, opened if none is known, and make the request its latest stage.

        Args:
            tenant: Whose request it is.
            claim: The id in its headers, if there is one.
            digest: Of all its messages.
            continuations: Where it may go on from an earlier request, latest first.
            now: Seconds on a monotonic clock.
        """
        self._expire(now)
        found = self._claimed(tenant, claim) if claim else self._continued(tenant, digest, continuations)
        program = found or self._open(tenant, claim)
        if found and program.digest != digest:  # the same messages again are a retry, not a stage
            program.stage += 1
        self._index(program, digest)
        self._touch(program, now)
        found_by = claim.found_by if claim else FoundBy.MESSAGES
        return Arrival(program, found_by if found else FoundBy.NEW)

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
        self._expire(now)
        by_id = self._programs.get((tenant, workflow_id))
        program = by_id if workflow_id else self._by_request.get((tenant, request_id))
        if program is None or program.choice is None:
            raise UnknownWorkflow
        if program.judged:
            raise AlreadyJudged
        program.judged = True
        return program.choice

    def finish(self, program: Program, *, output_tokens: int) -> None:
        """Add what the latest stage generated."""
        program.tokens += output_tokens
        program.last_tokens = output_tokens
        program.largest_tokens = max(program.largest_tokens, output_tokens)

    def _claimed(self, tenant: str, claim: Claim) -> Program | None:
        return self._programs.get((tenant, claim.id))

    def _continued(self, tenant: str, digest: bytes, continuations: list[Continuation]) -> Program | None:
        for continuation in continuations:
            programs = self._by_digest.get((tenant, continuation.digest))
            if programs:
                return min(programs, key=lambda program: abs(program.last_tokens - continuation.reply_tokens))
        return self._retried(tenant, digest)

    def _retried(self, tenant: str, digest: bytes) -> Program | None:
        """Return the workflow that sent these very messages and has no answer to them yet, past its first stage.

        Two first requests alike are two workflows that ask the same; a later stage alike is a client trying again.
        """
        programs = self._by_digest.get((tenant, digest), [])
        return next((program for program in programs if program.stage > 0), None)

    def _open(self, tenant: str, claim: Claim | None) -> Program:
        program = Program(tenant=tenant, id=claim.id if claim else self.new_id(), ordinal=self.opened)
        self.opened += 1
        self._programs[tenant, program.id] = program
        self._per_tenant[tenant] += 1
        self._shrink(tenant)
        return program

    def _index(self, program: Program, digest: bytes) -> None:
        self._unindex(program)
        program.digest = digest
        self._by_digest.setdefault((program.tenant, digest), []).append(program)

    def _unindex(self, program: Program) -> None:
        place = (program.tenant, program.digest)
        programs = self._by_digest.get(place)
        if programs and program in programs:
            programs.remove(program)
            if not programs:
                del self._by_digest[place]

    def _name_request(self, program: Program, request_id: str) -> None:
        self._forget_request(program)
        program.request_id = request_id
        if request_id:
            self._by_request[program.tenant, request_id] = program

    def _forget_request(self, program: Program) -> None:
        place = (program.tenant, program.request_id)
        if self._by_request.get(place) is program:  # a client may use an id twice
            del self._by_request[place]

    def _touch(self, program: Program, now: float) -> None:
        program.touched = now
        self._programs.move_to_end((program.tenant, program.id))

    def _expire(self, now: float) -> None:
        while self._programs:
            oldest = next(iter(self._programs.values()))
            if now - oldest.touched <= self.limits.ttl:
                return
            self._drop(oldest)

    def _shrink(self, tenant: str) -> None:
        if self._per_tenant[tenant] > self.limits.per_tenant:
            self._drop(next(program for program in self._programs.values() if program.tenant == tenant))
        while len(self._programs) > self.limits.programs:
            self._drop(next(iter(self._programs.values())))

    def _drop(self, program: Program) -> None:
        del self._programs[program.tenant, program.id]
        self._per_tenant[program.tenant] -= 1
        if not self._per_tenant[program.tenant]:
            del self._per_tenant[program.tenant]
        self._unindex(program)
        self._forget_request(program)
