"""Events in any order: nothing but a violation is raised, and what is sent is in the protocol's order."""

from drawing import Draw

from chimera_router.errors import NoEndpoints, ProtocolViolation
from chimera_router.protocol import events
from chimera_router.protocol.catalog import Catalog
from chimera_router.protocol.events import BodyMode
from chimera_router.protocol.intake import Intake
from chimera_router.protocol.rules import Rules
from chimera_router.protocol.stream import StreamMachine
from chimera_router.scheduling.types import DropReason

_BODY = b'{"model":"auto","messages":[{"role":"user","content":"hi"}]}'
_CATALOG = Catalog(pool="p", virtual=frozenset({"p", "auto"}), pins={"m": "m"})
_ROUTE = events.Route(destination="10.0.0.1:8000", model="m")
_REQUEST = (
    events.ContinueRequestHeaders,
    events.SendRequestHeaders,
    events.SendRequestBody,
    events.SendWholeRequest,
    events.SendRequestTrailers,
)
_RESPONSE = (
    events.SendResponseHeaders,
    events.SendResponseBody,
    events.ContinueResponseBody,
    events.SendResponseTrailers,
)
_ONCE = (events.SendRequestHeaders, events.SendWholeRequest, events.SendResponseHeaders, events.SendImmediate)
_PATHS = ("/v1/chat/completions", "/v1/models", "/v1/completions", "/other", "")
_MODES = tuple(BodyMode)
_PIECES = (_BODY, b"", b"{", _BODY[:7], _BODY[7:], b'data: {"usage":{"completion_tokens":5}}\n\n')


def run(data: bytes) -> None:
    draw, intake, sent = Draw(data), Intake(), []
    machine = StreamMachine(Rules(catalog=_CATALOG, intake=intake))
    while draw:
        try:
            actions = machine.feed(_event(draw))
        except ProtocolViolation:
            break
        sent += actions
        if any(isinstance(action, events.Choose | events.ChooseAny) for action in actions):
            sent += _decide(machine, draw)
    machine.close()
    _check([type(action) for action in sent])
    assert (intake.requests, intake.bytes) == (0, 0)


def _decide(machine: StreamMachine, draw: Draw) -> list[events.Send]:
    if draw.byte() % 4 == 0:
        return machine.refuse(NoEndpoints(reason=DropReason.NO_ENDPOINTS))
    return machine.route(_ROUTE)


def _event(draw: Draw) -> events.Event:
    kind, end = draw.byte() % 6, draw.byte() % 2 == 0
    headers = {":path": draw.choice(_PATHS), ":method": draw.choice(("POST", "GET"))}
    if kind == 0:
        modes = {"request_mode": draw.choice(_MODES), "response_mode": draw.choice(_MODES)}
        return events.RequestHeaders(headers=headers, end_of_stream=end, size=draw.below(1 << 17), **modes)
    if kind == 1:
        return events.RequestBody(draw.choice(_PIECES), end)
    if kind == 2:
        return events.RequestTrailers()
    if kind == 3:
        status = draw.choice(("200", "503", "abc", ""))
        kind_ = draw.choice(("application/json", "text/event-stream", ""))
        return events.ResponseHeaders(headers={":status": status, "content-type": kind_}, end_of_stream=end)
    if kind == 4:
        return events.ResponseBody(draw.choice(_PIECES), end)
    return events.ResponseTrailers()


def _check(sent: list[type]) -> None:
    """Hold what was sent to the protocol's order, which each direction has for itself; an answer of our own is last."""
    for direction in (_REQUEST, _RESPONSE):
        places = [direction.index(kind) for kind in sent if kind in direction]
        assert places == sorted(places)
    assert all(sent.count(kind) <= 1 for kind in _ONCE)
    assert events.SendImmediate not in sent[:-1]
    assert events.SendRequestBody not in sent or events.SendRequestHeaders in sent
    answered = [kind for kind in sent if kind in _RESPONSE]
    assert not answered or events.SendRequestHeaders in sent or events.SendWholeRequest in sent
