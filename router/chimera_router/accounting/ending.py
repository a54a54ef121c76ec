"""What the end of a stream means for an answer whose end was not seen on it."""

from enum import Enum, auto

from chimera_router.values import value

AT_ONCE = 0.05
"""Seconds. A gateway that keeps the stream for as long as the answer lasts ends it with the answer, and no engine makes
one in less; one that has no more to say ends it within a round trip."""


class Fate(Enum):
    """What has become of an answer."""

    ENDED = auto()
    BROKE_OFF = auto()
    GOES_ON = auto()  # where the picker cannot see it


@value(kw_only=True)
class StreamEnd:
    """A stream that has ended before its answer was seen to.

    Attributes:
        on_purpose: Whether the picker itself ended it, because no more of the answer was to be looked at.
        shown: Whether the gateway shows answers' bodies to the picker.
        half_closed: Whether the gateway ended it in good order, and not by a reset.
        streamed: Whether the answer was seen to begin, and comes in pieces; None where it was not seen to begin.
        since: Seconds since the headers of the answer, or since the decision where there were none.
    """

    on_purpose: bool
    shown: bool
    half_closed: bool
    streamed: bool | None
    since: float


def fate(end: StreamEnd) -> Fate:
    """Return what has become of the answer.

    Without a body a gateway may keep the stream open until the answer has ended (Envoy, with response bodies NONE and
    trailers SEND), or not; or it has no phase for answers at all, and half-closes after the request (NGINX Gateway
    Fabric). The last two end the stream within a round trip. An answer in one piece is complete soon after its headers.
    """
    if end.on_purpose:
        return Fate.GOES_ON
    at_once = end.since < AT_ONCE
    if end.shown:
        no_answers_phase = end.half_closed and end.streamed is None and at_once
        return Fate.GOES_ON if no_answers_phase else Fate.BROKE_OFF
    if at_once and end.streamed is not False:
        return Fate.GOES_ON
    return Fate.ENDED
