"""The OpenAI API of a pool, as far as probing needs it: which models there are, and one question to one of them."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeVar

import aiohttp
import msgspec

from chimera_bench.probing.log import Answer, ProbingError
from chimera_training.probes.probe import Probe
from chimera_training.probes.scoring import extract, is_right

ATTEMPTS = 6
LISTING_ATTEMPTS = 3  # somebody waits to be told that the address is wrong

# Seconds before the second attempt; each later pause is twice as long, up to the longest. Together they span a minute
# and a half at most unless the server asks for more: an engine restarts in that time, or somebody has to look at it.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0

# Seconds that a server's Retry-After is heeded for; a longer one is cut.
LONGEST_RETRY_AFTER = 60.0

# Seconds for one attempt: a 70B model on a busy pool writes the longest answer in less.
ATTEMPT_SECONDS = 300.0

BASE_ADDRESS = "give the base address of an OpenAI-compatible API"

SIMULATED = "simulated"  # `system_fingerprint` of the engine simulator

NO_SIMULATION = "its answers say nothing of any model; rehearse with --simulated, or serve real engines"

_REFUSED_KEY = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_PASSING = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class _Listed(msgspec.Struct):
    id: str
    owned_by: str = ""


class _Listing(msgspec.Struct):
    data: list[_Listed]


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage
    system_fingerprint: str | None = None


Body = TypeVar("Body", _Listing, _Completion)
Sleep = Callable[[float], Awaitable[None]]


class _Passing(Exception):  # noqa: N818 - what happened, and passes
    """An attempt failed in a way that a later one may not."""

    def __init__(self, reason: str, *, retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Client:
    """Asks one pool.

    Args:
        session: Open.
        url: Of the pool, with or without `/v1` at its end.
        key: API key; empty sends none.
        max_tokens: Of an answer.
        allow_simulated: Whether to take answers that an engine says it made up.
        sleep: How to wait between attempts.
    """

    def __init__(  # noqa: PLR0913 - a pool, and how to ask it
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        key: str = "",
        max_tokens: int,
        allow_simulated: bool = False,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._session = session
        self._url = url.rstrip("/").removesuffix("/v1")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._max_tokens = max_tokens
        self._allow_simulated = allow_simulated
        self._sleep = sleep

    async def models(self) -> tuple[str, list[str]]:
        """Return the pool's name and its models.

        A Chimera pool lists its own name first, which would be the choice among all; any other server has models only.

        Raises:
            ProbingError: Nobody answers there, or not as a pool does.
        """
        listed = (await self._persistently("GET", "/v1/models", None, _Listing)).data
        names = [each.id for each in listed if each.id != each.owned_by]
        if not names:
            raise ProbingError(f"{self._url}: the pool lists no models; wait until its engines serve, then try again")
        return next((each.id for each in listed if each.id == each.owned_by), listed[0].owned_by), names

    async def ask(self, model: str, probe: Probe) -> Answer:
        """Return a model's answer to a probe.

        Raises:
            ProbingError: The pool refuses, or fails more often than is borne.
        """
        body = {
            "model": model,
            "messages": [{"role": "user", "content": probe.prompt}],
            "max_tokens": self._max_tokens,
            "temperature": 0,
        }
        completion = await self._persistently("POST", "/v1/chat/completions", body, _Completion)
        simulated = completion.system_fingerprint == SIMULATED
        if simulated and not self._allow_simulated:
            raise ProbingError(f"model {model} is simulated: {NO_SIMULATION}")
        choice = completion.choices[0] if completion.choices else _Choice(_Message())
        text = choice.message.content or ""
        return Answer(
            model=model,
            probe=probe.id,
            right=is_right(text, answer=probe.answer, form=probe.form),
            given=extract(text) is not None,
            cut=choice.finish_reason == "length",
            simulated=simulated,
            prompt_tokens=completion.usage.prompt_tokens,
            output_tokens=completion.usage.completion_tokens,
        )

    async def _persistently(self, method: str, path: str, body: dict[str, Any] | None, kind: type[Body]) -> Body:
        model = body["model"] if body else ""
        reason = ""
        attempts = ATTEMPTS if model else LISTING_ATTEMPTS
        for attempt in range(attempts):
            try:
                return await self._attempt(method, path, body, kind)
            except _Passing as failure:
                reason = str(failure)
                if attempt + 1 < attempts:
                    await self._sleep(max(failure.retry_after, min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt)))
        if not model:
            raise ProbingError(f"{self._url}: {reason}; start the pool, or give the address where it serves")
        raise ProbingError(
            f"{self._url}: {reason}, {ATTEMPTS} times in a row, to model {model}; the answers so far are kept: "
            "run the same command again to go on, or leave the model out with --models"
        )

    async def _attempt(self, method: str, path: str, body: dict[str, Any] | None, kind: type[Body]) -> Body:
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_SECONDS)
        try:
            async with self._session.request(
                method, f"{self._url}{path}", json=body, headers=self._headers, timeout=timeout
            ) as response:
                self._check(response, body["model"] if body else "")
                return msgspec.json.decode(await response.read(), type=kind)
        except aiohttp.InvalidURL:
            raise ProbingError("the address of the pool must be like http://127.0.0.1:8080") from None
        except (aiohttp.ClientError, TimeoutError):
            raise _Passing("no pool answers there") from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ProbingError(f"{self._url}{path}: the answer is not OpenAI's; {BASE_ADDRESS}") from None

    def _check(self, response: aiohttp.ClientResponse, model: str) -> None:
        status = response.status
        if status == HTTPStatus.OK:
            return
        if status in _PASSING:
            raise _Passing(f"the pool answers with status {status}", retry_after=_retry_after(response))
        if status in _REFUSED_KEY:
            raise ProbingError(
                f"{self._url}: the pool refuses the API key (status {status}); name the environment variable that "
                "holds the right one with --api-key-env"
            )
        if status == HTTPStatus.NOT_FOUND and model:
            raise ProbingError(f"{self._url}: the pool does not know the model {model}; see {self._url}/v1/models")
        advice = f"try a smaller --max-tokens, or leave {model} out with --models" if model else BASE_ADDRESS
        raise ProbingError(f"{self._url}: the pool answers with status {status}; {advice}")


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """Return the seconds that the server asks for; 0 where it asks for none, or by a date."""
    seconds = response.headers.get("Retry-After", "")
    return min(float(seconds), LONGEST_RETRY_AFTER) if seconds.isascii() and seconds.isdigit() else 0.0
