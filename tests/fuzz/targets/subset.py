"""A gateway's hint, in whatever form, allows the endpoints that it names and no others."""

from drawing import Draw
from envoy.service.ext_proc.v3 import external_processor_pb2 as ext_proc

from chimera_router import wire
from chimera_router.extproc import codec
from chimera_router.protocol.events import RequestHeaders
from chimera_router.protocol.subsets import allowed

_ADDRESSES = ("10.0.0.1:8000", "10.0.0.1:8001", "10.0.0.2:8000", "[fd00::1]:8000", "[fd00::2]:8000")
_NAMES = (*_ADDRESSES, "10.0.0.1", "10.0.0.9:8000", "fd00::1", "[fd00::2]", "", " ", ",", "10.0.0.1:")


def run(data: bytes) -> None:
    draw = Draw(data)
    names = [
        draw.choice(_NAMES) if draw.byte() % 4 else draw.take(8).decode(errors="replace")
        for _ in range(draw.byte() % 6)
    ]
    listed = draw.byte() % 2 == 0
    message = ext_proc.ProcessingRequest(request_headers=ext_proc.HttpHeaders())
    message.metadata_context.filter_metadata[wire.SUBSET_NAMESPACE].update(
        {wire.SUBSET: names if listed else ",".join(names)}
    )
    event = codec.decode(message.SerializeToString())

    assert isinstance(event, RequestHeaders)
    assert event.subset is not None
    said = {name.strip() for each in names for name in ([each] if listed else each.split(","))}
    assert allowed(event.subset, _ADDRESSES) == {address for address in _ADDRESSES if _names(said, address)}


def _name(draw: Draw) -> str:
    return draw.choice(_NAMES) if draw.byte() % 4 else draw.take(8).decode(errors="replace")


def _names(said: set[str], address: str) -> bool:
    host = address.rpartition(":")[0]
    return bool(said & {address, host, host.strip("[]")})
