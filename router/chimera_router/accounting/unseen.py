"""Answers that pass where the picker cannot see them: how far they probably are, and when they are over.

Three signals say that one is: the gateway's access log, where it is sent here; the engine, when it has fewer requests
than this picker believes to have there; and time, when an answer has taken far longer than it was expected to.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

PATIENCE = 4.0
"""Times the expected seconds after which an answer is taken to be over: lengths scatter by a factor of three to the .9
quantile, and a request that is believed to be there for too long only makes its endpoint look busier than it is."""

LEAST_PATIENCE = 10.0  # seconds; an engine that has just begun to queue delays short answers by more than four times

SETTLED = 0.25  # seconds before a scrape: a request sent later may not have reached the engine when it counted


class Answer(Protocol):
    """An answer under way, and what is to be done about it."""

    request_id: str  # as the gateway knows it; empty where it has none
    began: float  # seconds on the clock of `now`

    @property
    def address(self) -> str:
        """Of the endpoint that makes it."""

    @property
    def expected_tokens(self) -> float:
        """Output tokens of it, as predicted."""

    @property
    def expected_seconds(self) -> float:
        """Seconds of it, as estimated."""

    def progressed(self, output_tokens: int) -> None:
        """It has probably come so far."""

    def over(self, seconds: float | None) -> None:
        """It is complete; it took so many seconds, None where nobody measured it."""

    def broke_off(self) -> None:
        """It will never be complete."""


@dataclass(slots=True)
class Unseen:
    """The answers under way. One owner."""

    _by_request: dict[str, Answer] = field(default_factory=dict)
    _by_address: dict[str, dict[int, Answer]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(map(len, self._by_address.values()))

    def add(self, answer: Answer) -> None:
        """Take an answer. One without an id, or whose id is used again meanwhile, the access log cannot end."""
        if answer.request_id:
            self._by_request[answer.request_id] = answer
        self._by_address.setdefault(answer.address, {})[id(answer)] = answer

    def logged(self, request_id: str, *, complete: bool, seconds: float | None) -> None:
        """The gateway has logged the end of a request.

        Args:
            request_id: As the gateway knows it.
            complete: Whether the client got all of the answer.
            seconds: From its first byte to the last one of the answer.
        """
        answer = self._by_request.get(request_id)
        if answer is None:
            return
        self._forget(answer)
        if complete:
            answer.over(seconds)
        else:
            answer.broke_off()

    def counted(self, address: str, *, there: int, own: int, at: float) -> None:
        """An engine has said how many requests it has; where those are fewer than its own here, some are over.

        Args:
            address: Of the engine.
            there: Requests that it has, anybody's.
            own: Requests that this picker believed to have there then.
            at: When it said so.
        """
        if own <= there:
            return
        here = self._by_address.get(address, {}).values()
        old = [answer for answer in here if answer.began < at - SETTLED]
        old.sort(key=lambda answer: answer.began + answer.expected_seconds)
        self._end(old[: own - there])

    def tick(self, now: float) -> None:
        """Let time pass: the answers under way have come further, and some have had more than enough of it."""
        late = []
        for answers in self._by_address.values():
            for answer in answers.values():
                elapsed = now - answer.began
                share = min(1.0, elapsed / max(answer.expected_seconds, 1e-3))
                answer.progressed(int(share * answer.expected_tokens))
                if elapsed > max(LEAST_PATIENCE, PATIENCE * answer.expected_seconds):
                    late.append(answer)
        self._end(late)

    def _end(self, answers: Iterable[Answer]) -> None:
        for answer in answers:
            self._forget(answer)
            answer.over(None)

    def _forget(self, answer: Answer) -> None:
        here = self._by_address[answer.address]
        del here[id(answer)]
        if not here:
            del self._by_address[answer.address]
        if self._by_request.get(answer.request_id) is answer:
            del self._by_request[answer.request_id]
