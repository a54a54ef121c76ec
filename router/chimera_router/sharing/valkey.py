"""Valkey, Redis or whatever speaks their protocol, as the server between the pickers.

Two scripts make a look-up one round trip and a change one command. All names of a pool share a hash tag, so that a
cluster keeps them in one slot, where scripts may reach them; every name expires by itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from chimera_router.errors import ServerAway
from chimera_router.sharing.codec import VERSION
from chimera_router.sharing.server import Answer, Change, Question
from chimera_router.workflow.evidence import HOLDERS

# Workflows that one answer brings. More ask the same at once only where one application asks the same thing again and
# again at temperature 0: its workflows differ in nothing that is worth telling apart.
FOUND = 8

# Seconds for one exchange, and for a connection. A server that takes longer is away: nobody waits for it so long.
PATIENCE = 0.5

_TELL = b"""
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
for i = 2, #KEYS do
  redis.call('LREM', KEYS[i], 0, ARGV[4])
  redis.call('LPUSH', KEYS[i], ARGV[4])
  redis.call('LTRIM', KEYS[i], 0, ARGV[5] - 1)
  redis.call('PEXPIRE', KEYS[i], ARGV[3])
end
"""

_ASK = b"""
local holders, names, parts, seen = {}, {}, {}, {}
local function found(name)
  if not seen[name] and #names < tonumber(ARGV[2]) then
    seen[name] = true
    names[#names + 1] = name
    parts[#names] = redis.call('HGETALL', ARGV[1] .. name)
  end
end
for i = 3, #ARGV do found(ARGV[i]) end
for i = 1, #KEYS do
  holders[i] = redis.call('LRANGE', KEYS[i], 0, -1)
  for _, name in ipairs(holders[i]) do found(name) end
end
return {holders, names, parts}
"""


class Valkey:
    """One connection to the server, opened when it is needed.

    Args:
        url: `redis://` or, with TLS, `rediss://`.
        password: Of the user in the URL, or of the default one; None where the server asks for none.
        pool: Name of the pool.
        picker: What tells this picker's parts from others'.
        ttl: Seconds for which the server keeps what nobody changes.
    """

    def __init__(self, url: str, *, password: str | None, pool: str, picker: bytes, ttl: float) -> None:
        prefix = f"chimera:{VERSION}:{{{quote(pool, safe='')}}}:"
        self._workflows, self._digests = f"{prefix}workflow:".encode(), f"{prefix}digest:".encode()
        self._picker = picker
        self._ttl = round(ttl * 1e3)
        once = Retry(NoBackoff(), 0)  # whether and when to try again is for the breaker to say
        self._client: Redis = Redis.from_url(
            url, password=password, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=once, protocol=2
        )

    async def exchange(self, changes: Sequence[Change], questions: Sequence[Question]) -> list[Answer]:
        """Make changes and answer questions, all in one round trip; with neither, see whether the server answers.

        Raises:
            ServerAway: It does not answer, or refuses; some changes may have been made.
        """
        pipeline = self._client.pipeline(transaction=False)
        for change in changes:
            pipeline.execute_command(*self._tell(change))
        for question in questions:
            pipeline.execute_command(*self._ask(question))
        if not (changes or questions):
            pipeline.ping()
        try:
            replies = await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise ServerAway(type(error).__name__) from error
        return [_answer(*reply) for reply in replies[len(changes) : len(changes) + len(questions)]]

    async def aclose(self) -> None:
        """Hold no connection any more."""
        await self._client.aclose()

    def _tell(self, change: Change) -> Iterable[bytes | int]:
        keys = (self._workflows + change.workflow, *(self._digests + digest for digest in change.digests))
        return b"EVAL", _TELL, len(keys), *keys, self._picker, change.part, self._ttl, change.workflow, HOLDERS

    def _ask(self, question: Question) -> Iterable[bytes | int]:
        keys = [self._digests + digest for digest in question.digests]
        named = () if question.workflow is None else (question.workflow,)
        return b"EVAL", _ASK, len(keys), *keys, self._workflows, FOUND, *named


def _answer(holders: list[list[bytes]], names: list[bytes], parts: list[list[bytes]]) -> Answer:
    return Answer(holders, {name: _pairs(flat) for name, flat in zip(names, parts, strict=True)})


def _pairs(flat: list[Any]) -> Mapping[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
