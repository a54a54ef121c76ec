"""Chats at a steady rate through OpenAI's own client, and what became of each."""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread

import httpx2
import openai

QUESTION = "What is 17 times 23? Number"
GIVES_UP = 120.0  # seconds a client waits for an answer; none of a test takes a third of that
EVENT, DONE = "data: ", "[DONE]"  # of a stream: what a line of it begins with, and what its last event says
LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=100)  # OpenAI's client has 1,000 at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """What became of one.

    Attributes:
        began: Seconds of the monotonic clock.
        ended: The same.
        asked: Which model was asked for.
        model: Which one answered. Empty: none.
        pod: Whose engine.
        failure: Why there is no whole answer. Empty: there is one.
    """

    began: float
    ended: float
    asked: str
    model: str = ""
    pod: str = ""
    failure: str = ""


@dataclass(slots=True)
class Chats:
    """All of a test.

    Attributes:
        ended: Those that have, in that order.
    """

    ended: list[Chat] = field(default_factory=list)

    @property
    def failed(self) -> list[Chat]:
        """Those without a whole answer."""
        return [each for each in self.ended if each.failure]

    def failures(self) -> Counter[str]:
        """Return how many failed, by the reason."""
        return Counter(each.failure for each in self.failed)

    def pods(self) -> set[str]:
        """Return the pods that gave whole answers."""
        return {each.pod for each in self.ended if not each.failure}


async def chat(client: openai.AsyncOpenAI, model: str, question: str, tokens: int, *, streamed: bool) -> Chat:
    """Ask something and take the answer to its end."""
    began = time.monotonic()
    answered = pod = ""
    asked = {"messages": [{"role": "user", "content": question}], "model": model, "max_tokens": tokens}
    more = {"extra_headers": {"x-chimera-explain": "true"}}
    try:
        create = client.chat.completions.with_raw_response.create
        raw = await create(**asked, **more, stream=streamed)  # type: ignore[call-overload] # one of several
        answered = raw.headers["x-chimera-model"]
        pod = json.loads(raw.headers["x-chimera-decision"])["endpoint"]
        failure = await _streamed(raw.http_response.aiter_lines()) if streamed else _whole(raw.parse())
    except openai.APIStatusError as error:
        failure = f"{error.status_code} {error.response.headers.get('x-chimera-dropped-reason', 'of the gateway')}"
    except (openai.APIConnectionError, httpx2.HTTPError) as error:
        failure = type(error).__name__
    return Chat(began=began, ended=time.monotonic(), asked=model, model=answered, pod=pod, failure=failure)


async def _streamed(lines: AsyncIterator[str]) -> str:
    """Return what is wrong with an answer in pieces; empty: nothing.

    They are read as they come, since OpenAI's client takes a stream without its last event for a whole one.
    """
    reason, last = None, ""
    async for line in lines:
        if line.startswith(EVENT):
            last = line.removeprefix(EVENT)
            reason = _reason(last) or reason
    return _judged(reason) or ("" if last == DONE else f"cut: no {DONE}")


def _reason(event: str) -> str | None:
    """Return why an answer ends with this event; None: it does not."""
    choices = [] if event == DONE else json.loads(event).get("choices", [])
    return next((each["finish_reason"] for each in choices if each.get("finish_reason")), None)


def _whole(answer: openai.types.chat.ChatCompletion) -> str:
    return _judged(answer.choices[0].finish_reason)


def _judged(reason: str | None) -> str:
    """An engine ends an answer where it is complete or as long as was asked for; anything else was cut."""
    return "" if reason in {"length", "stop"} else f"cut: {reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Who is asked how much.

    Attributes:
        url: Where; every other chat is streamed, also of those with any one model.
        rate: Chats a second.
        tokens: Of each answer.
        models: Whom to ask, in turn.
    """

    url: str
    rate: float
    tokens: int
    models: Sequence[str] = ("auto",)


async def _ask_all(pace: Pace, chats: Chats, stopped: asyncio.Event) -> None:
    url, http = f"{pace.url}/v1", openai.DefaultAsyncHttpxClient(limits=LIMITS)
    async with (
        openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=GIVES_UP, http_client=http) as client,
        asyncio.TaskGroup() as group,
    ):
        started = time.monotonic()

        async def one(number: int) -> None:
            turn, place = divmod(number, len(pace.models))
            name, streamed = pace.models[place], (turn + place) % 2 == 0
            chats.ended.append(await chat(client, name, f"{QUESTION} {number}.", pace.tokens, streamed=streamed))

        for number in itertools.count():
            group.create_task(one(number))
            try:
                await asyncio.wait_for(stopped.wait(), max(0.0, started + (number + 1) / pace.rate - time.monotonic()))
            except TimeoutError:
                continue
            return


@contextmanager
def chatting(pace: Pace) -> Iterator[Chats]:
    """Chat until the end of the block, and then wait for all answers."""
    chats = Chats()
    loop = asyncio.new_event_loop()
    stopped = asyncio.Event()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            loop.run_until_complete(_ask_all(pace, chats, stopped))
        except BaseException as error:  # noqa: BLE001 - raised again where it is seen
            errors.append(error)
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    thread = Thread(target=run)
    thread.start()
    try:
        yield chats
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stopped.set)
        thread.join()
    if errors:
        raise errors[0]
