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
        while (moment := self._next()) is not None:
            self.now = moment
            for name, engine in self._engines.items():
                if engine.next_event_at == moment:
                    self._advance(name)
            while self._timers and self._timers[0][0] <= self.now:
                heapq.heappop(self._timers)[2]()
        return self.now

    def _next(self) -> float | None:
        moments = [engine.next_event_at for engine in self._engines.values() if engine.next_event_at is not None]
        moments.extend(when for when, _, _ in self._timers[:1])
        return min(moments, default=None)

    def _advance(self, name: str) -> None:
        for event in self._engines[name].advance(self.now):
            self._on_event(name, event)
