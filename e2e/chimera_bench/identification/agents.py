"""Recorded workflows as clients: what each sends, and what the simulator would answer."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from chimera_bench.filler import filler
from chimera_bench.identification.habits import EDITS, Message, Rates
from chimera_training.data import Workflow

PLAIN = "plain"

# Tokens of the preamble that the agents of one benchmark share; nobody stored its text, and its length tells nothing.
PREAMBLE_TOKENS = 200

# Replies in a history before a client that edits it begins to: one reply alone is a conversation nobody shortens.
EDITED_FROM = 2

TENANTS = ("", "acme", "globex")


@dataclass(frozen=True, slots=True)
class Call:
    """A request, and what the model will say to it."""

    messages: list[Message]
    reply: str
    tokens: int

    def aside(self, draw: random.Random) -> "Call":
        """Return a call of the same agent that goes on from the same reply with another question."""
        messages = [*self.messages[:-1], _message("user", f"Aside {draw.random()}: what is this?")]
        return Call(messages, _reply("aside", messages, self.tokens), self.tokens)


@dataclass(slots=True, kw_only=True)
class Agent:
    """One run of a recorded workflow.

    Attributes:
        number: Its own, in the measurement.
        run: What was recorded.
        tenant: Whose it is.
        voice: Equal for agents whose equal prompts get equal replies.
        edit: Name of the way in which it changes its history; `PLAIN` leaves it.
        respaces: Whether it strips replies.
        begins: Seconds.
        history: All that was said so far.
        stage: Replies so far.
    """

    number: int
    run: Workflow
    tenant: str
    voice: str
    edit: str
    respaces: bool
    begins: float
    history: list[Message] = field(default_factory=list)
    stage: int = 0

    def __post_init__(self) -> None:
        preamble = filler(_seed(self.run.task_set), 0, PREAMBLE_TOKENS)
        self.history = [_message("system", preamble), _message("user", self.run.stages[0].text)]

    @property
    def goes_on(self) -> bool:
        """Whether there is a request to send."""
        return self.stage < len(self.run.stages)

    @property
    def kind(self) -> str:
        """How the next request changes the history."""
        return self.edit if self.stage >= EDITED_FROM else PLAIN

    def call(self, draw: random.Random) -> Call:
        """Return the next request, and its answer: as long as recorded, the same for the same prompt and voice."""
        messages = list(self.history) if self.kind == PLAIN else EDITS[self.kind](self.history, draw)
        tokens = self.run.stages[self.stage].output_tokens
        return Call(messages, _reply(self.voice, messages, tokens), tokens)

    def take(self, reply: str) -> None:
        """Go on with a reply and what the tools or the user said to it."""
        self.history.append(_message("assistant", reply.strip() if self.respaces else reply))
        self.stage += 1
        if self.goes_on:
            self.history.append(_message("user", self.run.stages[self.stage].text))


def agents(runs: Sequence[Workflow], *, count: int, rate: float, rates: Rates, draw: random.Random) -> Iterator[Agent]:
    """Yield agents that run recorded workflows, drawn at random, beginning at random times.

    Args:
        runs: What was recorded, at least one.
        count: Workflows, besides those that are repeated or begin in parallel.
        rate: Workflows a second.
        rates: What clients do.
        draw: Of everything that is random.
    """
    number = 0
    for _ in range(count):
        run, tenant, begins = draw.choice(runs), draw.choice(TENANTS), draw.uniform(0, count / rate)
        times = [begins]
        if draw.random() < rates.parallel:
            times += [begins] * draw.randint(1, 3)
        greedy = len(times) == 1 and draw.random() < rates.greedy
        if draw.random() < rates.repeated:
            times.append(draw.uniform(0, count / rate))
        for at in times:
            yield Agent(
                number=number,
                run=run,
                tenant=tenant,
                voice=run.model if greedy else str(number),
                edit=draw.choice(sorted(EDITS)) if draw.random() < rates.edited else PLAIN,
                respaces=draw.random() < rates.respaced,
                begins=at,
            )
            number += 1


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _reply(voice: str, messages: Sequence[Message], tokens: int) -> str:
    return filler(_seed(voice, *(message["content"] for message in messages)), 0, tokens)


def _seed(*texts: str) -> int:
    return int.from_bytes(sha256("\0".join(texts).encode(errors="surrogatepass")).digest()[:8])
