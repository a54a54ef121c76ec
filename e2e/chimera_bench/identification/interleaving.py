"""Agents' requests, interleaved at random, through the picker's own parsing and program table."""

import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from chimera_bench.engine.answers import Answer
from chimera_bench.engine.openai import Api as EngineApi
from chimera_bench.identification.agents import Agent, Call
from chimera_bench.identification.habits import Rates
from chimera_router.parsing.limits import Limits
from chimera_router.parsing.openai import Api, parse
from chimera_router.parsing.replies import ReplyReader
from chimera_router.scheduling.types import Assignment
from chimera_router.workflow.conversation import Conversation
from chimera_router.workflow.identity import FoundBy
from chimera_router.workflow.table import Arrival, ProgramTable

# Mean seconds until an answer is complete, until a tool has answered, and until a client tries again.
ANSWERING, ACTING, PAUSING = 6.0, 3.0, 1.0

FIRST, BRANCH, RETRY = "first", "branch", "retry"

_LIMITS = Limits()
_SOMEWHERE = Assignment(model="", endpoint="")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where a request was put.

    Attributes:
        kind: `FIRST`, `RETRY`, `BRANCH`, or how its agent has changed the history.
        claimed: Whether an earlier request's workflow was found for it.
        right: Whether that is its own; of a first request whether it has one of its own.
    """

    kind: str
    claimed: bool
    right: bool


@dataclass(slots=True)
class Interleaving:
    """One run of the measurement, in virtual time."""

    rates: Rates
    draw: random.Random
    table: ProgramTable = field(init=False)
    links: list[Link] = field(default_factory=list)
    _queue: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    _order: "itertools.count[int]" = field(default_factory=itertools.count)
    _owners: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ids = itertools.count()
        self.table = ProgramTable(new_id=lambda: str(next(ids)))

    def run(self, agents: Iterable[Agent]) -> list[Link]:
        """Let every agent go through its workflow; return where each request was put."""
        for agent in agents:
            self._at(agent.begins, lambda now, agent=agent: self._ask(agent, now))  # type: ignore[misc]
        while self._queue:
            now, _, step = heapq.heappop(self._queue)
            step(now)
        return self.links

    def _at(self, moment: float, step: Callable[[float], None]) -> None:
        heapq.heappush(self._queue, (moment, next(self._order), step))

    def _after(self, now: float, mean: float, step: Callable[[float], None]) -> None:
        self._at(now + self.draw.expovariate(1 / mean), step)

    def _ask(self, agent: Agent, now: float) -> None:
        call = agent.call(self.draw)
        if agent.stage and self.draw.random() < self.rates.branched:
            self._send(agent, call.aside(self.draw), BRANCH, now, lambda _: None)
        self._send(agent, call, agent.kind if agent.stage else FIRST, now, lambda later: self._act(agent, call, later))

    def _act(self, agent: Agent, call: Call, now: float) -> None:
        agent.take(call.reply)
        if agent.goes_on:
            self._after(now, ACTING, lambda later: self._ask(agent, later))

    def _send(self, agent: Agent, call: Call, kind: str, now: float, then: Callable[[float], None]) -> None:
        """Let a request arrive, and its answer come later or fail; a failed one is sent again."""
        body = _encode({"model": "auto", "messages": call.messages})
        conversation = Conversation.of(parse(Api.CHAT, body, _LIMITS).messages, tenant=agent.tenant)
        arrival = self.table.arrive(conversation, now=now)
        self._judge(agent, arrival, kind)

        def end(later: float) -> None:
            failed = self.draw.random() < self.rates.retried
            if not failed:
                self._finish(arrival, call)
            self.table.leave(arrival.program, later)
            if failed:
                self._after(later, PAUSING, lambda again: self._send(agent, call, RETRY, again, then))
            else:
                then(later)

        self._after(now, ANSWERING, end)

    def _finish(self, arrival: Arrival, call: Call) -> None:
        reader = ReplyReader()
        reader.feed(_answer(call.reply))
        self.table.remember(arrival.program, arrival.conversation, reader.answer(), _SOMEWHERE)
        self.table.finish(arrival.program, output_tokens=call.tokens)

    def _judge(self, agent: Agent, arrival: Arrival, kind: str) -> None:
        claimed = arrival.found_by is not FoundBy.NEW
        owner = self._owners.setdefault(arrival.program.id, agent.number)
        right = owner == agent.number if claimed else kind == FIRST
        self.links.append(Link(kind=kind, claimed=claimed, right=right))


def _answer(text: str) -> bytes:
    answer = Answer(
        api=EngineApi.CHAT, id="chatcmpl", model="m", created=0, prompt_tokens=1, output_tokens=1, finish_reason="stop"
    )
    return answer.whole(text)
