"""What a conversation proves: digests by which a later request shows that it goes on from this one.

A client sends the model's replies again with every request. It may strip, wrap or re-indent them, serialise tool calls
anew and leave the reasoning out, so replies are compared without white space and without what was thought aloud. Every
digest is of one tenant: equal texts of two tenants have nothing in common.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Self

from chimera_router.parsing.messages import ASSISTANT, CHARACTERS_PER_TOKEN, USER, Message, ToolCall
from chimera_router.parsing.replies import Reply
from chimera_router.values import value

DIGEST_BYTES = 16  # of SHA-256, which processors compute at 700 MB/s; two texts meet by chance once in 2^64 pairs

# Characters at either end of the task that stand for it; what lies between is in the digests of the messages.
TASK_CHARACTERS = 2000

# Replies of a request that are looked at, latest first: an edited history shares a long run with what was seen or none.
LATEST_TURNS = 32

# Bytes of a reply, without white space, from which it says by itself, with the task it answers, whose it is. Shorter
# ones ("Yes.") need the same messages before them.
TELLING_BYTES = 32

# From these on it does so even where the task is gone; shorter ones are shared by workflows of one application.
UNIQUE_BYTES = 200

# Bytes at the beginning of a reply that a client keeps which cuts it at a word of its own or shortens it.
OPENING_BYTES = 64

# Characters of a tool call's id from which engines draw it at random (vLLM 46, OpenAI 29); shorter ones are counters.
RANDOM_ID = 20

_SPACE = b" \t\r\n\v\f"
_THOUGHT = "</think>"  # ends what a reasoning model thinks aloud where the engine leaves it in the text


@value
class Turn:
    """A reply inside a conversation, and what stood before it.

    Attributes:
        prefix: Digest of all messages before it: what was asked.
        reply: Digest of the reply and the task it belongs to.
        opening: The same of its beginning.
        unique: Digests that by themselves belong to one workflow only: a long reply, ids of tool calls.
        telling: Whether `reply` says whose it is even where `prefix` is unknown.
        tokens: Of the reply, estimated.
    """

    prefix: bytes
    reply: bytes
    opening: bytes
    unique: tuple[bytes, ...]
    telling: bool
    tokens: int


@value(kw_only=True)
class Conversation:
    """A request's messages, as far as they tell whose they are.

    Attributes:
        tenant: Whose request it is.
        task: The first user's message, as a digest.
        digest: Of all messages.
        turns: The replies in it, latest first, at most `LATEST_TURNS`.
        previous: Digest of the id of the response it states to go on from; empty where it states none.
    """

    tenant: str
    task: bytes
    digest: bytes
    turns: tuple[Turn, ...]
    previous: bytes = b""

    @classmethod
    def of(cls, messages: Sequence[Message], *, tenant: str, previous: str = "") -> Self:
        """Return what these messages prove.

        Args:
            messages: Of one request, at least one.
            tenant: Whose request it is.
            previous: Id of a response that the request goes on from; empty where it names none.
        """
        running = _running(messages, tenant)
        places = [index for index, message in enumerate(messages) if index and message.role == ASSISTANT]
        latest = reversed(places[-LATEST_TURNS:])
        task = _task(messages, tenant)
        return cls(
            tenant=tenant,
            task=task,
            digest=_asked(running[-1], previous),
            turns=tuple(_turn(messages[index], running[index - 1], tenant, task) for index in latest),
            previous=response_key(tenant, previous) if previous else b"",
        )

    def replied(self, replies: Iterable[Reply]) -> tuple[bytes, ...]:
        """Return the digests by which later requests show that they go on from one of these replies to this one."""
        said = [_Said.of(reply.text, reply.calls) for reply in replies]
        return tuple(key for each in said for key in each.keys(self.tenant, self.task))


def response_key(tenant: str, response: str) -> bytes:
    """Return the digest of a response's id."""
    return _digest(tenant, b"response", _bytes(response))


def request_key(tenant: str, request: str) -> bytes:
    """Return the digest of a request's id."""
    return _digest(tenant, b"request", _bytes(request))


def _asked(digest: bytes, previous: str) -> bytes:
    """Return the digest of what is asked: equal words after two responses are two questions."""
    return _digest("", digest, _bytes(previous)) if previous else digest


def _task(messages: Iterable[Message], tenant: str) -> bytes:
    for message in messages:
        if message.role == USER:
            text = message.text
            return _digest(
                tenant, b"task", _bytes(text[:TASK_CHARACTERS]), _bytes(text[TASK_CHARACTERS:][-TASK_CHARACTERS:])
            )
    return _digest(tenant, b"task")


def _turn(message: Message, prefix: bytes, tenant: str, task: bytes) -> Turn:
    said = _Said.of(message.text, message.calls)
    reply, opening, *unique = said.keys(tenant, task)
    tokens = len(message.body) // CHARACTERS_PER_TOKEN + 1
    return Turn(prefix, reply, opening, tuple(unique), said.size >= TELLING_BYTES, tokens)


@value
class _Said:
    """A reply as it compares: its parts without white space, and the ids that the engine drew for its calls."""

    parts: tuple[bytes, ...]
    ids: tuple[bytes, ...]

    @classmethod
    def of(cls, text: str, calls: Sequence[ToolCall]) -> Self:
        named = (_normal_call(call) for call in calls)
        parts = (_normal(text), *(part for call in named for part in call))
        return cls(parts, tuple(_bytes(call.id) for call in calls if len(call.id) >= RANDOM_ID))

    @property
    def size(self) -> int:
        return sum(map(len, self.parts))

    def keys(self, tenant: str, task: bytes) -> Iterator[bytes]:
        """Yield the digests of the reply, of its beginning, and those that belong to it alone."""
        yield _digest(tenant, b"reply", task, *self.parts)
        yield _digest(tenant, b"opening", task, self.parts[0][:OPENING_BYTES])
        yield from (_digest(tenant, b"call", id_) for id_ in self.ids)
        if self.size >= UNIQUE_BYTES:
            yield _digest(tenant, b"alone", *self.parts)


def _normal(text: str) -> bytes:
    return text.rpartition(_THOUGHT)[2].encode("utf-8", "surrogatepass").translate(None, _SPACE)


def _normal_call(call: ToolCall) -> tuple[bytes, bytes, bytes]:
    return _bytes(call.id), _bytes(call.name), _normal(call.arguments)


def _running(messages: Iterable[Message], tenant: str) -> list[bytes]:
    """Return a running digest: the i-th stands for the first i + 1 messages."""
    running = sha256(_bytes(tenant))
    found = []
    for message in messages:
        running.update(_framed(_parts(message)))
        found.append(running.copy().digest()[:DIGEST_BYTES])
    return found


def _parts(message: Message) -> Iterable[bytes]:
    texts = [message.role, message.text, message.answers]
    for call in message.calls:
        texts += (call.id, call.name, call.arguments)
    return [*map(_bytes, texts), message.attachments]


def _digest(tenant: str, *parts: bytes) -> bytes:
    return sha256(_bytes(tenant) + _framed(parts)).digest()[:DIGEST_BYTES]


def _framed(parts: Iterable[bytes]) -> bytes:
    """Join parts, each after its length, which keeps the border between two of them from moving."""
    return b"".join([piece for part in parts for piece in (len(part).to_bytes(8), part)])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
