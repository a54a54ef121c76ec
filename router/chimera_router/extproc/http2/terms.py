"""What a peer may do on one connection."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Bounds, each with the reason for its default.

    Attributes:
        streams: Open at once; a gateway with one connection sends all of its requests there.
        stream_window: Bytes of one stream that may be on their way: four of the largest messages that gateways send.
        connection_window: Bytes of all streams together; at least the 65,535 with which every connection begins.
        unread: Bytes of answers that wait for the peer's windows. Beyond them it gets no room for more requests, so
            that one which asks and never takes an answer holds this and a connection's window, whatever it asks for.
        resets: Streams that the peer ended before they said anything, in a burst; a tenth of it comes back a second.
            A gateway whose clients give up has sent their requests' headers by then: those are not counted.
        controls: Settings, pings, priorities, window updates, empty frames and broken streams, in a burst. A tenth of
            it comes back a second, some 3 ms of work, and one for every 32 bytes written: clients grant windows and
            ping as answers reach them.
    """

    streams: int = 10_000
    stream_window: int = 256 * 1024
    connection_window: int = 16 * 1024 * 1024
    unread: int = 32 * 1024 * 1024
    resets: int = 2_000
    controls: int = 10_000
