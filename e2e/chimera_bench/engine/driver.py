"""Virtual time: engines and timers run to the end of their work, and no real time passes."""

import heapq
from collections.abc import Callable, Mapping
from itertools import count

from chimera_bench.engine.model import Engine
from chimera_bench.engine.types import Event, Request


class VirtualTime:
    """One clock over several engines.

    Where a step and a timer are due at the same moment the step comes first, so that a timer sees what the engine made;
    timers of the same moment keep the order in which they were set.

    Args:
        engines: The engines by name.
        on_event: Called at the moment of each event, with the engine's name; may set timers and submit requests.
    """

    def __init__(self, engines: Mapping[str, Engine], on_event: Callable[[str, Event], None]) -> None:
        self._engines = engines
        self._on_event = on_event
        self._numbers = {name: number for number, name in enumerate(engines)}
        # Moments at which batches change: those that an engine has put off since stay here and mean nothing.
        self._steps: list[tuple[float, int, str]] = []
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._ordinals = count()
        self.now = 0.0

    def call_at(self, when: float, action: Callable[[], None]) -> None:
        """Call `action` once the clock reaches `when`; a moment that has passed means now."""
        heapq.heappush(self._timers, (max(when, self.now), next(self._ordinals), action))

    def submit(self, engine: str, request: Request) -> None:
        """Send a request to an engine now.

        Raises:
            DoesNotFit: The engine's KV cache could not hold it.
            KeyError: No engine has this name.
        """
        self._advance(engine)
        self._engines[engine].submit(request, self.now)
        self._advance(engine)

    def run(self) -> float:
        """Run until no engine has work and no timer is set; return the moment of the last thing that happened."""
        for name in self._engines:
            self._plan(name)
        while self._steps or self._timers:
            if self._steps and (not self._timers or self._steps[0][0] <= self._timers[0][0]):
                self._step(*heapq.heappop(self._steps))
            else:
                self.now, _, action = heapq.heappop(self._timers)
                action()
        return self.now

    def _step(self, moment: float, _: int, name: str) -> None:
        if self._engines[name].next_event_at == moment:
            self.now = moment
            self._advance(name)

    def _advance(self, name: str) -> None:
        for event in self._engines[name].advance(self.now):
            self._on_event(name, event)
        self._plan(name)

    def _plan(self, name: str) -> None:
        moment = self._engines[name].next_event_at
        if moment is not None:
            heapq.heappush(self._steps, (moment, self._numbers[name], name))
