"""A gateway that says anything in any order to a whole picker: answers come in theirs, and nothing is left."""

import asyncio

from directors import Clock, FakePredictor, director
from drawing import Draw
from gateways import BODY, CHAT
from pools import prediction
from sessions import Connected, headers, piece

from chimera_router.extproc.health import Health
from chimera_router.extproc.native import NativeServer
from chimera_router.extproc.paths import CHECK, LOG, PROCESS, WATCH

_CLOCK = Clock()
_PREDICTOR = FakePredictor(small=prediction(0.4), large=prediction(0.9))
_DIRECTOR = director(_PREDICTOR, clock=_CLOCK)
_RUNNER = asyncio.Runner()

_MESSAGES = (
    headers(CHAT),
    piece(BODY, end=True),
    piece(BODY[:9]),
    piece(BODY[9:]),
    piece(b"", end=True),
    headers({":status": "200", "content-type": "text/event-stream"}, response=True),
    piece(b'data: {"usage":{"prompt_tokens":3,"completion_tokens":5}}\n\n', response=True),
    piece(b"", response=True, end=True),
    headers({**CHAT, ":method": "GET", ":path": "/v1/models"}, end=True),
    headers({":status": "503"}, response=True, end=True),
    b"",
    b"\x0a\x09readiness",
    b"\x32\x00",
    b"\x3a\x00",
)
_ORDER = (
    "request_headers",
    "request_body",
    "request_trailers",
    "response_headers",
    "response_body",
    "response_trailers",
)


def run(data: bytes) -> None:
    _RUNNER.run(_run(Draw(data)))


async def _run(draw: Draw) -> None:
    server = NativeServer(_DIRECTOR, Health(), host="", port=0)
    connected = Connected(server)
    caller, open_ = connected.caller, [0]
    while draw and connected.wire.state == "open":
        step, number = draw.byte() % 12, open_[draw.byte() % len(open_)]
        if step <= 1:
            _PREDICTOR.prompt = step == 0
            open_.append(caller.open(draw.choice((PROCESS, PROCESS, PROCESS, PROCESS, CHECK, WATCH, LOG))))
        elif step == 2 and number:
            caller.cancel(number)
            open_.remove(number)
        elif step == 3:
            _CLOCK.now += draw.byte()
            server.sweep()
        elif step == 4:
            await asyncio.sleep(0)
        elif step == 5 and number:
            caller.say(number, draw.take(30))
        elif number:
            caller.say(number, draw.choice(_MESSAGES), end=draw.byte() % 16 == 0)
    caller.read()
    for number in caller.answers:
        _check(connected, number)
    connected.lose()
    await asyncio.sleep(0)
    assert (server.allowance.calls, server.allowance.kept, server.open) == (0, 0, ())
    assert (_DIRECTOR.rules.intake.requests, _DIRECTOR.rules.intake.bytes) == (0, 0)
    _DIRECTOR.unseen.tick(_CLOCK.now + 1e6)
    assert sum(state.load.requests for state in _DIRECTOR.snapshot().endpoints) == 0


def _check(connected: Connected, number: int) -> None:
    """Hold what came on a stream of ext_proc to the protocol's order."""
    if connected.caller.answers[number].path != PROCESS:
        return
    kinds = [message.WhichOneof("response") for message in connected.told(number)]
    if "immediate_response" in kinds:
        assert kinds.index("immediate_response") == len(kinds) - 1
        kinds.pop()
    places = [_ORDER.index(kind) for kind in kinds]
    assert places == sorted(places)
