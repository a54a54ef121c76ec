"""Count what this picker has in flight on every endpoint, in requests and in predicted tokens."""

from dataclasses import dataclass

from chimera_router.scheduling.types import Decision, InFlight


@dataclass(frozen=True, slots=True)
class Ticket:
    """Names one request in the ledger, from the decision until its release."""

    number: int
    address: str


@dataclass(slots=True)
class _Entry:
    priority: int
    predicted: float
    prompt: int
    generated: int = 0

    def seen(self) -> InFlight:
        left = max(1.0, self.predicted - self.generated)  # one that outran its prediction still has a token to go
        return InFlight(priority=self.priority, tokens=left, context=self.prompt + self.generated)


class Ledger:
    """The picker's own load, by endpoint address. One owner: whoever schedules."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[int, _Entry]] = {}
        self._opened = 0

    def open(self, decision: Decision, *, prompt_tokens: int) -> Ticket:
        """Add a request that is about to be sent; its predicted tokens of this stage weigh on the endpoint."""
        self._opened += 1
        ticket = Ticket(self._opened, decision.endpoint.address)
        predicted = decision.prediction.stage_tokens
        entries = self._entries.setdefault(ticket.address, {})
        entries[ticket.number] = _Entry(decision.priority or 0, predicted, prompt_tokens)
        return ticket

    def progress(self, ticket: Ticket, *, generated: int) -> None:
        """Say how many output tokens have come in all; the backlog decays by them."""
        entry = self._entries.get(ticket.address, {}).get(ticket.number)
        if entry is not None:
            entry.generated = generated

    def close(self, ticket: Ticket) -> None:
        """Release a request, whatever became of it. Releasing twice changes nothing."""
        entries = self._entries.get(ticket.address, {})
        entries.pop(ticket.number, None)
        if not entries:
            self._entries.pop(ticket.address, None)

    def of(self, address: str) -> tuple[InFlight, ...]:
        """Return what is in flight on one endpoint."""
        return tuple(entry.seen() for entry in self._entries.get(address, {}).values())
