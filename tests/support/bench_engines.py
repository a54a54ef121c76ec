"""Engines whose arithmetic can be done by hand: all times are sums of quarters, so floats are exact."""

from collections.abc import Iterable

from chimera_bench.engine.model import Engine
from chimera_bench.engine.types import Event, EventKind, Request, SchedulingPolicy
from chimera_router.scheduling.types import Coefficients


def coefficients(
    *, base: float = 1.0, each: float = 0.5, prefill: float = 0.25, slots: int = 8, kv: int = 1_000_000
) -> Coefficients:
    return Coefficients(base_step=base, per_sequence=each, prefill_per_token=prefill, max_num_seqs=slots, kv_tokens=kv)


def priority_engine(**settings: float) -> Engine:
    return Engine(coefficients(**settings), scheduling=SchedulingPolicy.PRIORITY)  # type: ignore[arg-type]


def request(name: str, *, prompt: int = 1, output: int = 1, priority: int = 0, conversation: str = "") -> Request:
    return Request(id=name, prompt_tokens=prompt, output_tokens=output, priority=priority, conversation=conversation)


def story(events: Iterable[Event]) -> list[tuple[str, str, float]]:
    """Return who, what and when of each event."""
    return [(event.request.id, event.kind.value, event.at) for event in events]


def finished(events: Iterable[Event]) -> dict[str, float]:
    """Return when each request finished."""
    return {event.request.id: event.at for event in events if event.kind is EventKind.FINISHED}


def drain(engine: Engine) -> list[Event]:
    """Run an engine until it is idle."""
    events = engine.advance(0.0)
    while (moment := engine.next_event_at) is not None:
        events.extend(engine.advance(moment))
    return events
