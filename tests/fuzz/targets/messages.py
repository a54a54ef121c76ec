"""A call's bytes, cut anywhere, are the messages that a plain reading of them gives, or the status for the rest."""

from callers import Fakes, framed, reference
from drawing import Draw
from peers import data


def run(data_: bytes) -> None:
    draw = Draw(data_)
    fakes = Fakes(patient=draw.byte() % 2 == 0)
    number, sent = fakes.caller.open(), b""
    service = fakes.made[0]
    while draw:
        piece = draw.take(20)
        piece = framed(piece) if draw.byte() % 2 else piece
        sent += piece
        fakes.caller.send(data(number, piece))
        if draw.byte() % 3 == 0:
            service.rpc.resume()
    fakes.caller.send(data(number, end=True))
    for _ in range(len(sent)):
        service.rpc.resume()
    fakes.caller.read()

    messages, status = reference(sent)
    assert (service.messages, fakes.caller.answers[number].status) == (messages, status)
    assert (service.ended, service.over) == ((1, 0) if status is None else (0, 1))
    fakes.connection.lost()
    assert (fakes.allowance.kept, fakes.allowance.calls) == (0, 0)
