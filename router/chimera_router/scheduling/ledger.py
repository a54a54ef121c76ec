"""Count what this picker has in flight on every endpoint, in requests and in predicted tokens.

Every count is kept as a sum that a change updates, so that a decision reads it without looking at single requests.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from chimera_router.scheduling.load import IDLE, Load, Queue
from chimera_router.scheduling.types import Decision
from chimera_router.values import value


@value
class Ticket:
    """Names one request in the ledger, from the decision until its release."""

    number: int
    address: str


@dataclass(slots=True)
class _Entry:
    rank: int
    predicted: float
    prompt: int
    uncached: int
    generated: int = 0

    def prefill(self) -> float:
        return self.uncached / max(1.0, self.predicted)

    def left(self) -> float:
        return max(1.0, self.predicted - self.generated)  # one that outran its prediction still has a token to go


class _Awaited:
    """Requests that have generated nothing, by rank and then by number: three lists in step."""

    __slots__ = ("_numbers", "_ranks", "_tokens")

    def __init__(self) -> None:
        self._ranks: list[int] = []
        self._numbers: list[int] = []
        self._tokens: list[float] = []

    def add(self, number: int, entry: _Entry) -> None:
        index = bisect_right(self._ranks, entry.rank)  # numbers only grow
        self._ranks.insert(index, entry.rank)
        self._numbers.insert(index, number)
        self._tokens.insert(index, entry.left())

    def remove(self, number: int, entry: _Entry) -> None:
        start, end = bisect_left(self._ranks, entry.rank), bisect_right(self._ranks, entry.rank)
        index = bisect_left(self._numbers, number, start, end)
        del self._ranks[index], self._numbers[index], self._tokens[index]

    def queue(self) -> Queue:
        return Queue.of(self._ranks, self._tokens)


class _Account:
    """One endpoint's entries and their sums; `load` is their image, made when somebody looks after a change."""

    __slots__ = ("_awaited", "_context", "_entries", "_load", "_prefill", "_queue", "_tokens")

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._awaited = _Awaited()
        self._tokens = 0.0
        self._context = 0
        self._prefill = 0.0
        self._load: Load | None = None
        self._queue: Queue | None = None

    def __bool__(self) -> bool:
        return bool(self._entries)

    def load(self) -> Load:
        if self._load is None:
            self._queue = queue = self._queue or self._awaited.queue()
            self._load = Load(
                requests=len(self._entries),
                tokens=self._tokens,
                context=self._context,
                prefill=self._prefill,
                queue=queue,
            )
        return self._load

    def add(self, number: int, entry: _Entry) -> None:
        self._entries[number] = entry
        self._awaited.add(number, entry)
        self._prefill += entry.prefill()
        self._changed(entry.left(), entry.prompt, queue=True)

    def progress(self, number: int, generated: int) -> None:
        entry = self._entries.get(number)
        if entry is None or generated == entry.generated:
            return
        begins = not entry.generated
        if begins:
            self._awaited.remove(number, entry)
        before, gained = entry.left(), generated - entry.generated
        entry.generated = generated
        self._changed(entry.left() - before, gained, queue=begins)

    def remove(self, number: int) -> None:
        entry = self._entries.pop(number, None)
        if entry is None:
            return
        if not entry.generated:
            self._awaited.remove(number, entry)
        self._prefill -= entry.prefill()
        self._changed(-entry.left(), -entry.prompt - entry.generated, queue=not entry.generated)

    def _changed(self, tokens: float, context: int, *, queue: bool) -> None:
        self._tokens += tokens
        self._context += context
        self._load = None
        if queue:
            self._queue = None


class Ledger:
    """The picker's own load, by endpoint address. One owner: whoever schedules."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._opened = 0

    def open(self, decision: Decision, *, prompt_tokens: int) -> Ticket:
        """Add a request that is about to be sent; its predicted tokens of this stage weigh on the endpoint."""
        self._opened += 1
        ticket = Ticket(self._opened, decision.endpoint.address)
        account = self._accounts.get(ticket.address)
        if account is None:
            account = self._accounts[ticket.address] = _Account()
        entry = _Entry(
            rank=decision.priority or 0,
            predicted=decision.prediction.stage_tokens,
            prompt=prompt_tokens,
            uncached=max(0, prompt_tokens - decision.cached_tokens),
        )
        account.add(ticket.number, entry)
        return ticket

    def progress(self, ticket: Ticket, *, generated: int) -> None:
        """Say how many output tokens have come in all; the backlog decays by them."""
        account = self._accounts.get(ticket.address)
        if account is not None:
            account.progress(ticket.number, generated)

    def close(self, ticket: Ticket) -> None:
        """Release a request, whatever became of it. Releasing twice changes nothing."""
        account = self._accounts.get(ticket.address)
        if account is None:
            return
        account.remove(ticket.number)
        if not account:
            del self._accounts[ticket.address]  # and with it whatever rounding has left in the sums

    def of(self, address: str) -> Load:
        """Return what is in flight on one endpoint."""
        account = self._accounts.get(address)
        return account.load() if account is not None else IDLE
