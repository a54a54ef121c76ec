"""A prompt as the simulator reads it: what identifies it, never what it means."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import takewhile

from chimera_bench.filler import estimated_tokens


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A conversation up to the reply that is asked for.

    Attributes:
        task: The last user message before the first reply.
        stage: Replies in it so far.
        tokens: Estimated from the length of the text.
        conversation: Equal for all prompts that begin with the same messages up to the first reply.
        seed: Equal for equal prompts only.
    """

    task: str
    stage: int
    tokens: int
    conversation: str
    seed: int


def prompt_of(messages: Sequence[Message]) -> Prompt:
    """Return the prompt that these messages are."""
    opening = list(takewhile(lambda message: message.role != "assistant", messages))
    return Prompt(
        task=next((message.text for message in reversed(opening) if message.role == "user"), ""),
        stage=sum(message.role == "assistant" for message in messages),
        tokens=max(1, sum(estimated_tokens(message.text) for message in messages)),
        conversation=_digest(opening).hex(),
        seed=int.from_bytes(_digest(messages)[:8]),
    )


def _digest(messages: Iterable[Message]) -> bytes:
    digest = sha256()
    for message in messages:
        # The length keeps the border between two messages from moving.
        digest.update(f"{message.role} {len(message.text)} {message.text}".encode(errors="surrogatepass"))
    return digest.digest()
