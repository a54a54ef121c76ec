"""Count what this picker has in flight on every endpoint, in requests and in predicted tokens.

Every count is kept as a sum that a change updates, so that a decision reads it without looking at single requests.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass, field

from chimera_router.scheduling.load import IDLE, Load, Place, Queue
from chimera_router.scheduling.types import Decision


@dataclass(frozen=True, slots=True)
class Ticket:
    """Names one request in the ledger, from the decision until its release."""

    number: int
    address: str


@dataclass(slots=True)
class _Entry:
    place: Place
    predicted: float
    prompt: int
    generated: int = 0

    def left(self) -> float:
        return max(1.0, self.predicted - self.generated)  # one that outran its prediction still has a token to go


@dataclass(slots=True)
class _Account:
    """One endpoint's entries and their sums; `load` is their image, made when somebody looks after a change."""

    entries: dict[int, _Entry] = field(default_factory=dict)
    tokens: float = 0.0
    context: int = 0
    places: list[Place] = field(default_factory=list)
    awaited: list[float] = field(default_factory=list)
    _load: Load | None = None
    _queue: Queue | None = None

    def load(self) -> Load:
        if self._load is None:
            if self._queue is None:
                self._queue = Queue(tuple(self.places), tuple(self.awaited))
            self._load = Load(requests=len(self.entries), tokens=self.tokens, context=self.context, queue=self._queue)
        return self._load

    def add(self, number: int, entry: _Entry) -> None:
        self.entries[number] = entry
        self._shift(entry.left(), entry.prompt)
        insort(self.places, entry.place)
        self.awaited.insert(bisect_left(self.places, entry.place), entry.left())
        self._queue = None

    def progress(self, entry: _Entry, generated: int) -> None:
        if generated and not entry.generated:
            self._admitted(entry)
        before = entry.left()
        gained, entry.generated = generated - entry.generated, generated
        self._shift(entry.left() - before, gained)

    def remove(self, number: int) -> None:
        entry = self.entries.pop(number)
        if not entry.generated:
            self._admitted(entry)
        self._shift(-entry.left(), -entry.prompt - entry.generated)

    def _admitted(self, entry: _Entry) -> None:
        index = bisect_left(self.places, entry.place)
        del self.places[index], self.awaited[index]
        self._queue = None

    def _shift(self, tokens: float, context: int) -> None:
        self.tokens += tokens
        self.context += context
        self._load = None


class Ledger:
    """The picker's own load, by endpoint address. One owner: whoever schedules."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._opened = 0

    def open(self, decision: Decision, *, prompt_tokens: int) -> Ticket:
        """Add a request that is about to be sent; its predicted tokens of this stage weigh on the endpoint."""
        self._opened += 1
        ticket = Ticket(self._opened, decision.endpoint.address)
        place = (decision.priority or 0, ticket.number)
        account = self._accounts.setdefault(ticket.address, _Account())
        account.add(ticket.number, _Entry(place, decision.prediction.stage_tokens, prompt_tokens))
        return ticket

    def progress(self, ticket: Ticket, *, generated: int) -> None:
        """Say how many output tokens have come in all; the backlog decays by them."""
        account = self._accounts.get(ticket.address)
        if account is not None and ticket.number in account.entries:
            account.progress(account.entries[ticket.number], generated)

    def close(self, ticket: Ticket) -> None:
        """Release a request, whatever became of it. Releasing twice changes nothing."""
        account = self._accounts.get(ticket.address)
        if account is None or ticket.number not in account.entries:
            return
        account.remove(ticket.number)
        if not account.entries:
            del self._accounts[ticket.address]  # and with it whatever rounding has left in the sums

    def of(self, address: str) -> Load:
        """Return what is in flight on one endpoint."""
        account = self._accounts.get(address)
        return account.load() if account is not None else IDLE
