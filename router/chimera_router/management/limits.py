"""What callers of the management interface may take of the process that also serves requests. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds, each with the reason for its default.

    Attributes:
        connections: At once. Scrapers, probes and people are few.
        idle: Seconds from connecting, or from an answer, to the next whole request head. Scrapers connect anew.
        request: Seconds from a request's head to its answer, the body's arrival included. Prometheus waits as long.
        linger: Seconds for what a client still sends whose request was refused.
        line: Bytes of the request line, and of each header. A service account's token has 1 KB or two.
        headers: Number of them.
        body: Bytes. Enough to explain a request of 200,000 tokens; parsed in a millisecond or two.
        explained: Requests explained at once. They take the predictors' time, which requests need.
        share: Of the event loop's time, for making pages of figures. Some 12 ms a page with twenty models.
    """

    connections: int = 128
    idle: float = 15.0
    request: float = 10.0
    linger: float = 1.0
    line: int = 8190
    headers: int = 64
    body: int = 1024 * 1024
    explained: int = 2
    share: float = 0.1
