"""What clients do besides sending a conversation again with one turn more, and how often."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

Message = dict[str, str]
Edit = Callable[[Sequence[Message], random.Random], list[Message]]

# Recent messages that a client with a sliding window keeps: two turns, the reply to each included.
WINDOW = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How often clients do what makes workflows hard to tell apart.

    Attributes:
        repeated: Share of workflows that somebody runs again, at any time.
        parallel: Share of workflows that begin two to four times at the same moment, with the same words, to sample
            several answers.
        greedy: Share of the others that ask at temperature 0: equal prompts to one model get equal replies.
        retried: Share of requests whose answer fails, and which are sent again.
        branched: Share of later requests beside which another goes on from the same reply.
        edited: Share of workflows that change their history, each in one way, once it holds two replies.
        respaced: Share of workflows that strip the replies' white space.
    """

    repeated: float = 0.05
    parallel: float = 0.05
    greedy: float = 0.3
    retried: float = 0.05
    branched: float = 0.05
    edited: float = 0.15
    respaced: float = 0.3

    def __post_init__(self) -> None:
        for rate in fields(self):
            if not 0 <= getattr(self, rate.name) <= 1:
                raise ValueError(f"{rate.name} must be a share, from 0 to 1")


def slide(history: Sequence[Message], _draw: random.Random) -> list[Message]:
    """Keep the preamble, the task and the latest turns."""
    return [*history[:2], *history[2:][-WINDOW:]]


def forget_task(history: Sequence[Message], _draw: random.Random) -> list[Message]:
    """Keep the preamble and the latest turns only."""
    return [history[0], *history[2:][-WINDOW:]]


def summarise(history: Sequence[Message], draw: random.Random) -> list[Message]:
    """Put a summary in place of everything between the task and the last turn."""
    summary = {"role": "user", "content": f"Summary {draw.random()} of what was done so far."}
    return [*history[:2], summary, *history[2:][-2:]]


def drop_one(history: Sequence[Message], _draw: random.Random) -> list[Message]:
    """Leave out the oldest observation."""
    return [*history[:3], *history[4:]]


def restamp(history: Sequence[Message], draw: random.Random) -> list[Message]:
    """Write the time into the preamble."""
    preamble = {"role": "system", "content": f"It is {draw.random()}. {history[0]['content']}"}
    return [preamble, *history[1:]]


def cut_replies(history: Sequence[Message], _draw: random.Random) -> list[Message]:
    """Keep four fifths of every reply, as agents do that stop at a word of their own."""
    return [_cut(message) if message["role"] == "assistant" else message for message in history]


def _cut(reply: Message) -> Message:
    return {**reply, "content": reply["content"][: len(reply["content"]) * 4 // 5]}


EDITS: Mapping[str, Edit] = {
    "slides": slide,
    "forgets the task": forget_task,
    "summarises": summarise,
    "drops an observation": drop_one,
    "restamps the preamble": restamp,
    "cuts replies": cut_replies,
}
