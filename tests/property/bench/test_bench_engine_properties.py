"""What holds for every load on an engine, and that its stretches are nothing but steps."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby

from bench_engines import finished
from hypothesis import given
from hypothesis import strategies as st

from chimera_bench.engine.driver import VirtualTime
from chimera_bench.engine.model import Engine
from chimera_bench.engine.types import Event, EventKind, Request, SchedulingPolicy
from chimera_router.scheduling.types import Coefficients

KV = 60


@dataclass(frozen=True, slots=True)
class Load:
    """Requests with their moments in quarter seconds, so that sums of times are exact."""

    coefficients: Coefficients
    scheduling: SchedulingPolicy
    arrivals: list[tuple[float, Request]]


@st.composite
def loads(draw: st.DrawFn) -> Load:
    count = draw(st.integers(1, 12))
    moments = sorted(draw(st.lists(st.integers(0, 60), min_size=count, max_size=count)))
    requests = [
        Request(
            id=f"r{index}",
            prompt_tokens=draw(st.integers(1, 25)),
            output_tokens=draw(st.integers(1, 25)),
            priority=draw(st.integers(-2, 2)),
            conversation=draw(st.sampled_from(["", "x", "y"])),
        )
        for index in range(count)
    ]
    return Load(
        coefficients=Coefficients(
            base_step=draw(st.sampled_from([0.25, 1.0])),
            per_sequence=draw(st.sampled_from([0.0, 0.25])),
            prefill_per_token=draw(st.sampled_from([0.0, 0.25])),
            max_num_seqs=draw(st.integers(1, 5)),
            kv_tokens=draw(st.integers(50, 90)),
        ),
        scheduling=draw(st.sampled_from(SchedulingPolicy)),
        arrivals=[(moment / 4, request) for moment, request in zip(moments, requests, strict=True)],
    )


def watched(load: Load, watch: Callable[[Engine, float], None] = lambda *_: None) -> list[Event]:
    """Run a load in virtual time and look at the engine after everything that happens."""
    engine = Engine(load.coefficients, scheduling=load.scheduling)
    events: list[Event] = []

    def on_event(_name: str, event: Event) -> None:
        events.append(event)

    clock = VirtualTime({"e": engine}, on_event)
    for moment, request in load.arrivals:
        clock.call_at(moment, lambda request=request: clock.submit("e", request))
        clock.call_at(moment, lambda: watch(engine, clock.now))
        clock.call_at(moment + 0.125, lambda: watch(engine, clock.now))
    clock.run()
    return events


@given(loads())
def test_every_request_finishes_once(load: Load) -> None:
    """Requests are conserved: each is admitted, has one first token and finishes, in that order."""
    events = watched(load)

    for _, request in load.arrivals:
        own = [event.kind for event in events if event.request is request]
        assert own[0] is EventKind.ADMITTED
        assert own.count(EventKind.FIRST_TOKEN) == own.count(EventKind.FINISHED) == 1
        assert own[-1] is EventKind.FINISHED
        assert own.count(EventKind.ADMITTED) == own.count(EventKind.PREEMPTED) + 1


@given(loads())
def test_tokens_are_conserved(load: Load) -> None:
    """When all is done, the engine has made what was asked for, holds nothing and caches no more than it was given."""
    states: list[Engine] = []
    watched(load, lambda engine, _now: states.append(engine))
    engine = states[-1]

    assert engine.generated_tokens(1e9) == sum(request.output_tokens for _, request in load.arrivals)
    assert engine.used_tokens(1e9) == 0
    assert not engine.running
    assert not engine.waiting


@given(loads())
def test_limits_hold_at_every_moment(load: Load) -> None:
    """Never more running than slots, never more KV than there is, the cache of idle conversations included."""

    def watch(engine: Engine, now: float) -> None:
        assert len(engine.running) <= load.coefficients.max_num_seqs
        assert engine.used_tokens(now) + engine.cached_tokens <= load.coefficients.kv_tokens

    watched(load, watch)


@given(loads())
def test_the_queue_is_in_order_at_every_moment(load: Load) -> None:
    """By (priority, arrival), or by arrival alone."""
    arrival = {request.id: index for index, (_, request) in enumerate(load.arrivals)}

    def place(request: Request) -> tuple[int, int]:
        return (request.priority if load.scheduling is SchedulingPolicy.PRIORITY else 0, arrival[request.id])

    def watch(engine: Engine, _now: float) -> None:
        assert list(engine.waiting) == sorted(engine.waiting, key=place)

    watched(load, watch)


@given(loads())
def test_whoever_is_preempted_is_the_worst_of_those_running(load: Load) -> None:
    """Of the requests in the batch at that moment none has a worse (priority, arrival)."""
    arrival = {request.id: index for index, (_, request) in enumerate(load.arrivals)}
    running: dict[str, Request] = {}

    def place(request: Request) -> tuple[int, int]:
        return (request.priority if load.scheduling is SchedulingPolicy.PRIORITY else 0, arrival[request.id])

    for event in watched(load):
        if event.kind is EventKind.ADMITTED:
            running[event.request.id] = event.request
        if event.kind is EventKind.PREEMPTED:
            assert event.request == max(running.values(), key=place)
        if event.kind in {EventKind.PREEMPTED, EventKind.FINISHED}:
            del running[event.request.id]


@given(loads())
def test_the_same_load_gives_the_same_story(load: Load) -> None:
    """Nothing is drawn: two runs are equal event by event."""
    assert watched(load) == watched(load)


@given(loads(), st.lists(st.integers(0, 400), max_size=20))
def test_looking_changes_nothing(load: Load, moments: list[int]) -> None:
    """Advancing at any extra moments gives the same events as advancing only where something happens."""
    looked: list[Event] = []
    engine = Engine(load.coefficients, scheduling=load.scheduling)
    looks: list[tuple[float, Request | None]] = [(moment / 4 + 0.0625, None) for moment in moments]
    for moment, request in sorted([*load.arrivals, *looks], key=lambda item: item[0]):
        looked.extend(engine.advance(moment))
        if request is not None:
            engine.submit(request, moment)
            looked.extend(engine.advance(moment))
    looked.extend(engine.advance(1e9))

    assert looked == watched(load)


@dataclass(slots=True)
class Stepper:
    """The same engine written naively, one step after another and every sequence in every step."""

    load: Load
    cache: list[tuple[str, int]] = field(default_factory=list)
    queue: list[list[int]] = field(default_factory=list)  # [priority, arrival, tokens made]
    batch: list[list[int]] = field(default_factory=list)
    ends: dict[str, float] = field(default_factory=dict)

    def run(self) -> dict[str, float]:
        now, coming = 0.0, list(enumerate(self.load.arrivals))
        while coming or self.queue or self.batch:
            if not self.queue and not self.batch:
                now = coming[0][1][0]
                self._arrive(coming, now, one=True)
            prefill = self._schedule()
            begun = now
            now += self.load.coefficients.step(len(self.batch)) + self.load.coefficients.prefill_per_token * prefill
            self._arrive(coming, begun, one=False)
            while coming and coming[0][1][0] < now:
                self._arrive(coming, coming[0][1][0], one=True)
            self._end(now)
        return self.ends

    def _arrive(self, coming: list[tuple[int, tuple[float, Request]]], now: float, *, one: bool) -> None:
        while coming and coming[0][1][0] <= now:
            index, (_, request) = coming.pop(0)
            self.queue.append([self._priority(request), index, 0])
            if one:
                return

    def _priority(self, request: Request) -> int:
        return request.priority if self.load.scheduling is SchedulingPolicy.PRIORITY else 0

    def _request(self, entry: list[int]) -> Request:
        return self.load.arrivals[entry[1]][1]

    def _held(self) -> int:
        return sum(self._request(entry).prompt_tokens + entry[2] for entry in self.batch)

    def _schedule(self) -> int:
        kv, preempted, prefill = self.load.coefficients.kv_tokens, False, 0
        while self._held() + len(self.batch) > kv:
            worst = max(self.batch)
            self.batch.remove(worst)
            self.queue.append(worst)
            preempted = True
        self.queue.sort()
        while not preempted and self.queue and len(self.batch) < self.load.coefficients.max_num_seqs:
            head, context = self.queue[0], self._request(self.queue[0]).prompt_tokens + self.queue[0][2]
            if self._held() + len(self.batch) + context + 1 > kv:
                break
            self.batch.append(self.queue.pop(0))
            name = self._request(head).conversation
            cached = sum(tokens for owner, tokens in self.cache if owner == name)
            self.cache = [(owner, tokens) for owner, tokens in self.cache if owner != name]
            prefill += context - min(cached, context - 1)
        self._shrink()
        return prefill

    def _shrink(self) -> None:
        room = self.load.coefficients.kv_tokens - self._held() - len(self.batch)
        while sum(tokens for _, tokens in self.cache) > room:
            self.cache.pop(0)

    def _end(self, now: float) -> None:
        for entry in self.batch:
            entry[2] += 1
        for entry in [entry for entry in self.batch if entry[2] == self._request(entry).output_tokens]:
            self.batch.remove(entry)
            request = self._request(entry)
            self.ends[request.id] = now
            if request.conversation:
                self.cache = [item for item in self.cache if item[0] != request.conversation]
                self.cache.append((request.conversation, request.prompt_tokens + entry[2]))


@given(loads())
def test_stretches_are_nothing_but_steps(load: Load) -> None:
    """Every request finishes at the moment at which a naive simulator, step by step, lets it finish."""
    assert finished(watched(load)) == Stepper(load).run()


def test_events_come_in_order_of_time() -> None:
    """What one call returns is sorted by its moments."""
    load = Load(
        Coefficients(base_step=1.0, per_sequence=0.0, prefill_per_token=0.0, max_num_seqs=2, kv_tokens=KV),
        SchedulingPolicy.FCFS,
        [(0.0, Request(id=f"r{index}", prompt_tokens=5, output_tokens=20)) for index in range(6)],
    )
    moments = [event.at for event in watched(load)]

    assert moments == sorted(moments)
    assert [moment for moment, _ in groupby(moments)] == sorted(set(moments))
