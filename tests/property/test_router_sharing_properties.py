"""What holds of shared workflows however requests are spread over pickers, and whatever the server does."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st
from shared_servers import Kept

from chimera_router.parsing import replies
from chimera_router.parsing.messages import Message
from chimera_router.parsing.replies import Reply
from chimera_router.scheduling.types import Assignment
from chimera_router.sharing.breaker import FIRST_PAUSE, LATE_ANSWERS, LONGEST_PAUSE, Breaker, State
from chimera_router.sharing.codec import Codec
from chimera_router.sharing.outbox import Outbox
from chimera_router.sharing.sealing import Seal
from chimera_router.sharing.server import Answer
from chimera_router.workflow.conversation import Conversation
from chimera_router.workflow.evidence import KEYS
from chimera_router.workflow.identity import Claim, FoundBy
from chimera_router.workflow.parts import Part, absorb, merged
from chimera_router.workflow.program import Program
from chimera_router.workflow.recall import Lookup
from chimera_router.workflow.table import ProgramTable

SECRET = b"0123456789abcdef"
SEAL = Seal(SECRET, pool="assistants")
counts = st.integers(0, 10_000)
digests = st.binary(min_size=1, max_size=16)
assignments = st.builds(Assignment, model=st.text(), endpoint=st.text(), seen_tokens=counts)
parts = st.builds(
    Part,
    id=st.just("w"),
    asked=st.floats(0, 1e9),
    stages=counts,
    tokens=counts,
    last_tokens=counts,
    largest_tokens=counts,
    assignment=st.none() | assignments,
    digest=digests,
    answered=st.booleans(),
    latest=st.lists(digests, max_size=3).map(tuple),
    judged=st.booleans(),
)
several = st.lists(parts, min_size=1, max_size=5, unique_by=lambda part: part.asked)


class Picker:
    """One picker's table, which tells the others at once and asks them whenever it needs to."""

    def __init__(self, kept: Kept, number: int, ids: Iterable[int], *, ahead: float) -> None:
        self.table = ProgramTable(new_id=lambda: f"wf-{next(iter(ids))}")
        self.table.changed = self._tell
        self._codec = Codec(SEAL, bytes([number]), lambda: ahead)
        self._kept, self._name = kept, bytes([number])

    def _tell(self, program: Program, keys: Iterable[bytes]) -> None:
        self._kept.tell(self._name, self._codec.change(program, keys))

    def serve(self, asked: Conversation, reply: str, tokens: int, claim: Claim | None, now: float) -> "Known":
        """Serve a request to its end, and return what was known of its workflow before the decision."""
        lookup = self.table.lookup(asked, claim)
        if lookup is not None:
            answer = self._kept.answer(self._codec.question(lookup))
            self.table.adopt(asked.tenant, self._codec.sightings(lookup, answer), now)
        program = self.table.arrive(asked, claim=claim, now=now).program
        known = Known.of(program)
        place = program.assignment or Assignment(model="m", endpoint=program.id)
        seen = replace(place, seen_tokens=program.stage)
        self.table.assign(program, seen, confidence=0.5, corrected=0.5, request_id="")
        self.table.remember(program, asked, replies.Answer((Reply(reply),)), seen)
        self.table.finish(program, output_tokens=tokens)
        self.table.leave(program, now)
        return known


@dataclass(frozen=True)
class Known:
    id: str
    stage: int
    tokens: int
    last_tokens: int
    largest_tokens: int
    assignment: Assignment | None

    @classmethod
    def of(cls, program: Program) -> "Known":
        return cls(**{name: getattr(program, name) for name in cls.__annotations__})


stages = st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 500))  # workflow, picker, tokens
AHEAD = (0.0, 5e5, -3e5)  # seconds, of the Unix clock before each picker's own


@settings(max_examples=200)
@given(st.lists(stages, max_size=14), st.sampled_from([FoundBy.SESSION, FoundBy.MESSAGES]))
def test_pickers_that_share_know_what_one_picker_would(run: list[tuple[int, int, int]], found_by: FoundBy) -> None:
    """However stages are spread over pickers: each workflow's id, stage and place, and the tokens so far."""
    kept, ids = Kept(), itertools.count()
    pickers = [Picker(kept, number, ids, ahead=ahead) for number, ahead in enumerate(AHEAD)]
    alone = Picker(Kept(), 9, itertools.count(), ahead=0.0)
    said: dict[int, list[Message]] = {}
    for now, (workflow, picker, tokens) in enumerate(run):
        messages = said.setdefault(workflow, []) or [Message("user", f"task {workflow}")]
        asked = Conversation.of(messages, tenant="t")
        claim = Claim(f"run-{workflow}", found_by) if found_by is FoundBy.SESSION else None
        reply = f"the reply of workflow {workflow} at {now}, long enough to tell"
        said[workflow] = [*messages, Message("assistant", reply), Message("user", f"then {now}")]

        shared = pickers[picker].serve(asked, reply, tokens, claim, now - AHEAD[picker])

        assert shared == alone.serve(asked, reply, tokens, claim, now)


@given(several, st.randoms(use_true_random=False))
def test_parts_add_up_in_any_order(found: list[Part], order: object) -> None:
    """The sum is the same, and nothing counted is lost in it."""
    shuffled = list(found)
    order.shuffle(shuffled)  # type: ignore[attr-defined]

    whole = merged(found)

    assert merged(shuffled) == whole
    assert (whole.stages, whole.tokens) == (sum(p.stages for p in found), sum(p.tokens for p in found))
    assert whole.judged is any(p.judged for p in found)


@given(st.lists(several, min_size=1, max_size=4))
def test_what_was_taken_up_is_not_taken_twice(read: list[list[Part]]) -> None:
    """Reading again changes nothing, and counts never fall, whatever the server forgets."""
    program = Program(tenant="t", id="w", ordinal=0, stage=-1)
    for found in read:
        before = program.stage, program.tokens
        absorb(program, merged(found))
        once = program.stage, program.tokens, program.largest_tokens, program.assignment
        absorb(program, merged(found))

        assert (program.stage, program.tokens, program.largest_tokens, program.assignment) == once
        assert program.stage >= max(0, before[0])
        assert program.tokens >= before[1]
        assert program.elsewhere_tokens == program.tokens


@given(several.filter(lambda found: len(found) > 1))
def test_a_picker_reads_of_others_what_they_wrote(found: list[Part]) -> None:
    """Through the server's names and bytes and back, its own part left out."""
    kept, programs = Kept(), []
    for number, part in enumerate(found):
        program = Program(tenant="t", id=part.id, ordinal=0, stage=-1)
        absorb(program, part)
        program.elsewhere_stages = program.elsewhere_tokens = 0
        programs.append(program)
        kept.tell(bytes([number]), Codec(SEAL, bytes([number]), lambda: 0.0).change(program, ()))
    reader = ProgramTable(new_id=str)
    codec = Codec(SEAL, bytes([0]), lambda: 0.0)
    lookup = reader.lookup(Conversation.of([Message("user", "?")], tenant="t"), Claim("w", FoundBy.HEADER))
    assert lookup is not None

    (sighting,) = codec.sightings(lookup, kept.answer(codec.question(lookup)))

    assert sighting.part.tokens == sum(program.tokens for program in programs[1:])
    newest = max(programs[1:], key=lambda program: program.asked)
    assert (sighting.part.digest, sighting.part.latest) == (newest.digest, newest.latest)
    assert sighting.part.assignment == newest.assignment


@given(st.text(max_size=5), st.text(max_size=5), st.text(max_size=5))
def test_tenants_never_meet_whatever_the_server_says(id_: str, owner: str, reader: str) -> None:
    """A server that leads one tenant's digest to another's workflow leads to nothing."""
    kept, told = Kept(), Codec(SEAL, b"a", lambda: 0.0).change(Program(tenant=owner, id=id_, ordinal=0, asked=1.0), ())
    kept.tell(b"a", told)
    lookup = Lookup(tenant=reader, keys=(b"digest",))

    found = Codec(SEAL, b"b", lambda: 0.0).sightings(lookup, Answer([[told.workflow]], kept.parts))

    assert bool(found) is (owner == reader)


@given(st.binary(max_size=600), st.binary(max_size=40))
def test_what_no_picker_sealed_is_not_read(data: bytes, place: bytes) -> None:
    """Any bytes on the server that are not a picker's own are as if they were not there."""
    assert SEAL.opened(data, place) is None


@given(st.binary(max_size=200), st.binary(max_size=40), st.binary(max_size=40))
def test_a_sealed_value_opens_at_its_place_alone(value: bytes, place: bytes, other: bytes) -> None:
    """Moved elsewhere, or in another pool or under another secret, it is nothing."""
    sealed = SEAL.seal(value, place)

    assert SEAL.opened(sealed, place) == value
    assert (SEAL.opened(sealed, other) is None) == (place != other)
    assert Seal(SECRET, pool="others").opened(sealed, place) is None
    assert Seal(SECRET[::-1], pool="assistants").opened(sealed, place) is None


@given(st.text(), st.integers(0, 20), st.integers(0, 20))
def test_workflows_of_two_tenants_have_two_names(text: str, border: int, other: int) -> None:
    """Wherever the border between tenant and id lies."""
    one, another = ((text[:place], text[place:]) for place in (border, other))

    assert (SEAL.workflow(*one) == SEAL.workflow(*another)) is (one == another)


events = st.lists(st.tuples(st.sampled_from(["late", "lost", "answered", "try"]), st.floats(0, 3)), max_size=60)


@given(events)
def test_a_breaker_is_closed_by_answers_and_opened_by_their_absence(run: list[tuple[str, float]]) -> None:
    """Whatever happens when: at once by a loss, by late answers in a row, and each absence is told of once."""
    breaker, now, told = Breaker(), 0.0, False
    row: list[float] = []  # moments of late answers since the last one in time
    for event, passed in run:
        now += passed
        before = breaker.state
        if event == "answered":
            assert breaker.answered() is (before is not State.CLOSED)
            assert breaker.state is State.CLOSED
            row, told = [], False
        elif event == "try":
            due = before is State.OPEN and now >= breaker.retry_at
            assert breaker.try_again(now) is due
            assert breaker.state is (State.HALF_OPEN if due else before)
        else:
            begins = breaker.late(now) if event == "late" else breaker.lost(now)
            row = [*row, now] if event == "late" else row
            enough = event == "lost" or before is not State.CLOSED or len(row) >= LATE_ANSWERS
            assert (breaker.state is State.CLOSED) <= (before is State.CLOSED and event == "late")
            assert enough or breaker.state is State.CLOSED
            assert begins <= (not told)
            told |= begins
        if breaker.state is State.OPEN and before is not State.OPEN:
            assert told
            assert FIRST_PAUSE - 1e-9 <= breaker.retry_at - now <= LONGEST_PAUSE + 1e-9


changes = st.lists(st.tuples(st.integers(0, 9), st.lists(digests, max_size=3)), max_size=40)


@given(changes, st.integers(1, 6), st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=5))
def test_an_outbox_keeps_each_workflow_once_and_its_bound(
    run: list[tuple[int, list[bytes]]], largest: int, turns: list[tuple[int, bool]]
) -> None:
    """Whatever changes, is taken and comes back: nothing is lost but what it says it dropped."""
    outbox, programs = Outbox(largest), [Program(tenant="t", id=str(n), ordinal=n) for n in range(10)]
    changed, told = {programs[number] for number, _ in run}, set[Program]()
    for number, keys in run:
        outbox.add(programs[number], keys)
        assert len(outbox) <= largest
    for count, away in [*turns, (len(programs), False)]:
        taken = outbox.take(count)
        assert len(taken) <= count
        if away:
            outbox.put_back(taken)
        else:
            assert not told & taken.keys()
            told |= taken.keys()

    assert not outbox
    assert changed >= told
    assert len(told) >= len(changed) - outbox.dropped


@given(st.lists(digests, max_size=KEYS), st.lists(digests, max_size=KEYS))
def test_an_outbox_keeps_the_latest_digests(before: list[bytes], since: list[bytes]) -> None:
    """As many as the table knows a workflow by, however often it had to wait."""
    outbox, program = Outbox(), Program(tenant="t", id="w", ordinal=0)
    outbox.add(program, before)
    taken = outbox.take(1)
    outbox.add(program, since)
    outbox.put_back(taken)

    assert list(outbox.take(1)[program]) == [*before, *since][-KEYS:]
