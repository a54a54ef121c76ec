"""One engine as a state machine over explicit time: continuous batching as vLLM's V1 scheduler does it.

Pure: the caller passes the time, and nothing here waits, logs or draws. The same machine runs in virtual time
(`chimera_bench.engine.driver`) and behind the HTTP server (`chimera_bench.engine.realtime`).

Every step gives each running request one token and takes `b0 + b2·b` seconds for b of them, plus `c` for each token of
the prompts that it admits and that no cache holds: a prefill stalls the whole batch. A request that is recomputed after
preemption prefills its prompt and the tokens it had. What is left out: KV blocks (it is counted in tokens), prompts
split over several steps, and host overhead.
"""

from bisect import insort
from collections import defaultdict
from collections.abc import Iterator
from operator import attrgetter

from chimera_bench.engine.batch import Sequence, Stretch
from chimera_bench.engine.prefixes import PrefixCache
from chimera_bench.engine.types import DoesNotFit, Event, EventKind, Request, SchedulingPolicy
from chimera_router.scheduling.types import Coefficients

# Prompt tokens after which a step admits nobody else: vLLM's `max_num_batched_tokens` on cards with 80 GB.
PREFILL_TOKENS_PER_STEP = 8192

_ORDER = attrgetter("order")


class Engine:
    """A batch that gains one token a step, a queue in front of it and a KV cache under it.

    Steps follow each other without a gap while there is work. The batch changes only where a request comes, ends or
    loses its KV space, so the steps between two changes are taken as one stretch: the cost of a simulation is that of
    its requests, not of their tokens.

    Args:
        coefficients: Of its steps.
        scheduling: Order of its queue.
        prefix_caching: Whether a conversation's tokens stay for its next request, as vLLM does unless told otherwise.

    Raises:
        ValueError: A step would take no time.
    """

    def __init__(
        self,
        coefficients: Coefficients,
        *,
        scheduling: SchedulingPolicy = SchedulingPolicy.FCFS,
        prefix_caching: bool = True,
    ) -> None:
        if coefficients.step(1) <= 0:
            raise ValueError("A step must take time")
        self._coefficients = coefficients
        self._scheduling = scheduling
        self._prefix_caching = prefix_caching
        self._waiting: list[Sequence] = []
        self._running: dict[str, Sequence] = {}
        self._prefilling: list[Sequence] = []
        self._ending: defaultdict[int, list[Sequence]] = defaultdict(list)
        self._cache = PrefixCache()
        self._events: list[Event] = []
        self._held = 0
        self._made = 0
        self._submissions = 0
        self._steps = 0
        self._stretch: Stretch | None = None

    @property
    def next_event_at(self) -> float | None:
        """When the batch changes by itself, in seconds on the caller's clock; None while the engine is idle."""
        return self._stretch.ends_at if self._stretch is not None else None

    @property
    def running(self) -> tuple[Request, ...]:
        """Requests in the batch, in the order in which they were admitted."""
        return tuple(sequence.request for sequence in self._running.values())

    @property
    def waiting(self) -> tuple[Request, ...]:
        """Requests in the queue, the next one first."""
        return tuple(sequence.request for sequence in self._waiting)

    @property
    def cached_tokens(self) -> int:
        """KV tokens of conversations between their requests; given up where a running request needs the room."""
        return self._cache.tokens

    def used_tokens(self, now: float) -> int:
        """Return the KV tokens of running requests, with the one that each gains in the step in progress."""
        return self._held + len(self._running) * (1 + self._ended(now))

    def kv_usage(self, now: float) -> float:
        """Return the share of the KV cache that running requests hold; what is only cached counts as free."""
        return min(1.0, self.used_tokens(now) / self._coefficients.kv_tokens)

    def progress(self, now: float) -> Iterator[tuple[str, int]]:
        """Yield the id of each running request and the tokens that it has made."""
        steps = self._steps + self._ended(now)
        return ((name, sequence.made_by(steps)) for name, sequence in self._running.items())

    def generated_tokens(self, now: float) -> int:
        """Return the tokens made since the beginning, over all requests."""
        return self._made + len(self._running) * self._ended(now)

    def generated(self, request_id: str, now: float) -> int:
        """Return the tokens that a request has made.

        Raises:
            KeyError: It has ended or never was.
        """
        if request_id in self._running:
            return self._running[request_id].made_by(self._steps + self._ended(now))
        return {sequence.request.id: sequence.generated for sequence in self._waiting}[request_id]

    def submit(self, request: Request, now: float) -> None:
        """Queue a request; an idle engine begins a step with it at once, another one looks at it after this step.

        Raises:
            DoesNotFit: Its prompt and output pass the whole KV cache.
            ValueError: The batch has changed by `now`: `advance` comes first.
        """
        if request.prompt_tokens + request.output_tokens > self._coefficients.kv_tokens:
            raise DoesNotFit(limit=self._coefficients.kv_tokens)
        self._check(now)
        self._submissions += 1
        priority = request.priority if self._scheduling is SchedulingPolicy.PRIORITY else 0
        sequence = Sequence(request, (priority, self._submissions), now)
        insort(self._waiting, sequence, key=_ORDER)
        if self._stretch is None:
            self._begin_stretch(now)
        elif sequence is self._waiting[0] and self._fits(sequence):  # what does not fit now will not until some end
            self._settle(now)

    def cancel(self, request_id: str, now: float) -> bool:
        """Drop a request and free what it holds; False where it has ended or never was.

        Raises:
            ValueError: The batch has changed by `now`: `advance` comes first.
        """
        self._check(now)
        self._settle(now)
        if request_id in self._running:
            self._withdraw(self._running[request_id])
            return True
        kept = [sequence for sequence in self._waiting if sequence.request.id != request_id]
        found = len(kept) < len(self._waiting)
        self._waiting = kept
        return found

    def advance(self, now: float) -> list[Event]:
        """Run all that is due by `now`; return what has happened since the last call, in order of time."""
        while self._stretch is not None and self._stretch.ends_at <= now:
            self._end_stretch(self._stretch)
            self._begin_stretch(self._stretch.ends_at)
        events, self._events = self._events, []
        return events

    def _ended(self, now: float) -> int:
        return self._stretch.ended(now) if self._stretch is not None else 0

    def _check(self, now: float) -> None:
        if self._stretch is not None and self._stretch.ends_at <= now:
            raise ValueError("The batch has changed before this moment: advance the engine first")

    def _settle(self, now: float) -> None:
        """Count the steps that have ended, and let the stretch end with the one in progress."""
        if self._stretch is None:
            return
        ended = self._stretch.ended(now)
        self._count(ended)
        self._stretch = Stretch(self._stretch.begins_at + ended * self._stretch.step, self._stretch.step, 1)

    def _count(self, steps: int) -> None:
        self._steps += steps
        self._held += steps * len(self._running)
        self._made += steps * len(self._running)

    def _begin_stretch(self, now: float) -> None:
        # As in vLLM, a step that had to preempt admits nobody.
        preempted = self._make_room(now)
        uncached = 0 if preempted else self._admit(now)
        self._cache.shrink(self._coefficients.kv_tokens - self._held - len(self._running))
        self._stretch = self._planned(now, uncached=uncached, steady=not (preempted or self._prefilling))

    def _planned(self, now: float, *, uncached: int, steady: bool) -> Stretch | None:
        """Return the next stretch: one step where prompts are computed or room was made, else all until a change."""
        if not self._running:
            return None
        batch = len(self._running)
        step = self._coefficients.step(batch) + self._coefficients.prefill_per_token * uncached
        room = (self._coefficients.kv_tokens - self._held - self._cache.tokens) // batch
        return Stretch(now, step, min(room, min(self._ending) - self._steps) if steady else 1)

    def _end_stretch(self, stretch: Stretch) -> None:
        self._count(stretch.steps)
        for sequence in self._prefilling:
            if not sequence.generated and sequence.request.id in self._running:
                self._record(EventKind.FIRST_TOKEN, sequence, stretch.ends_at)
        self._prefilling.clear()
        for sequence in self._ending.pop(self._steps, ()):
            tokens = self._release(sequence)
            if self._prefix_caching:
                self._cache.put(sequence.request.conversation, tokens)
            self._record(EventKind.FINISHED, sequence, stretch.ends_at)

    def _make_room(self, now: float) -> bool:
        """Preempt the worst until every running request can gain a token; tell whether it was necessary."""
        preempted = False
        while not self._holds(0):
            self._preempt(max(self._running.values(), key=_ORDER), now)
            preempted = True
        return preempted

    def _preempt(self, sequence: Sequence, now: float) -> None:
        self._withdraw(sequence)
        sequence.generated = sequence.made_by(self._steps)
        insort(self._waiting, sequence, key=_ORDER)
        self._record(EventKind.PREEMPTED, sequence, now)

    def _admit(self, now: float) -> int:
        """Admit from the head of the queue what has a slot and fits; return the tokens to prefill."""
        uncached = 0
        while self._waiting and uncached < PREFILL_TOKENS_PER_STEP and self._fits(self._waiting[0]):
            uncached += self._begin(self._waiting.pop(0), now)
        return uncached

    def _fits(self, sequence: Sequence) -> bool:
        return len(self._running) < self._coefficients.max_num_seqs and self._holds(sequence.context + 1)

    def _holds(self, more: int) -> bool:
        """Tell whether there is room for this many tokens and one for every running request."""
        return self._held + len(self._running) + more <= self._coefficients.kv_tokens

    def _begin(self, sequence: Sequence, now: float) -> int:
        """Move a request into the batch; return the tokens to prefill."""
        # vLLM computes the last token of a prompt even where all of it is cached: the first output needs its logits.
        cached = min(self._cache.take(sequence.request.conversation), sequence.context - 1)
        self._held += sequence.context
        sequence.admitted_in = self._steps
        self._running[sequence.request.id] = sequence
        self._prefilling.append(sequence)
        self._ending[sequence.ends_in].append(sequence)
        self._record(EventKind.ADMITTED, sequence, now, cached_tokens=cached)
        return sequence.context - cached

    def _withdraw(self, sequence: Sequence) -> None:
        """Take a request out of the batch before its end."""
        self._ending[sequence.ends_in].remove(sequence)
        self._release(sequence)

    def _release(self, sequence: Sequence) -> int:
        """Free what a running request holds; return those tokens."""
        del self._running[sequence.request.id]
        tokens = sequence.request.prompt_tokens + sequence.made_by(self._steps)
        self._held -= tokens
        return tokens

    def _record(self, kind: EventKind, sequence: Sequence, at: float, *, cached_tokens: int = 0) -> None:
        event = Event(
            kind=kind,
            request=sequence.request,
            at=at,
            submitted_at=sequence.submitted_at,
            cached_tokens=cached_tokens,
        )
        self._events.append(event)
