"""Pass a request on that is no call of an API: what conformance tests send, to endpoints that they name or in turn."""

from dataclasses import dataclass

from chimera_router.errors import NoEndpoints
from chimera_router.protocol import subsets
from chimera_router.protocol.events import AnswerEnded, AnswerStarted, AnswerTold, ChooseAny, Route
from chimera_router.scheduling.types import DropReason, PoolSnapshot


@dataclass(frozen=True, slots=True)
class Forwarding:
    """A request passed on. It counts nowhere: it is none that a model answers."""

    route: Route

    def started(self, answer: AnswerStarted) -> None:
        """The answer has begun."""

    def progressed(self, output_tokens: int) -> None:
        """It goes on."""

    def told(self, answer: AnswerTold) -> None:
        """It was read."""

    def ended(self, answer: AnswerEnded) -> None:
        """It is complete."""

    def end(self, *, on_purpose: bool, shown: bool, half_closed: bool) -> None:
        """Nothing more is seen of it."""

    def close(self) -> None:
        """Nothing is held."""


def route(asked: ChooseAny, snapshot: PoolSnapshot, *, turn: int) -> Route:
    """Return where a request goes: to all that it names, in its order, else to one of those allowed, in turn.

    Raises:
        NoEndpoints: None of them can take it now.
    """
    ready = [state.endpoint.address for state in snapshot.endpoints if state.ready]
    if asked.subset is not None:
        allowed = subsets.allowed(asked.subset, ready)
        ready = [address for address in ready if address in allowed]
    named = [address for wish in asked.wanted for address in ready if subsets.allowed((wish,), (address,))]
    chosen = named if asked.wanted else ready[turn % len(ready) :][:1] if ready else []
    if not chosen:
        raise NoEndpoints(reason=DropReason.NO_ENDPOINTS)
    return Route(destination=",".join(chosen), model="")
