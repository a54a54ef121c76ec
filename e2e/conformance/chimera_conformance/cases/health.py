"""gRPC health: what gateways and probes ask before they send anything."""

import grpc

from chimera_conformance import sources, wire
from chimera_conformance.case import Level, Profile, case
from chimera_conformance.picker import Picker
from chimera_conformance.verdicts import Violation, require

_STATUS = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
UNKNOWN_NAME = "no.such.Service"
OK, NOT_FOUND = "OK", "NOT_FOUND"


@case(Level.MUST, Profile.HEALTH, sources.GIE_HEALTH)
async def liveness(picker: Picker) -> None:
    """`liveness` is SERVING while the process answers."""
    await _require_serving(picker, wire.LIVENESS)


@case(Level.MUST, Profile.HEALTH, sources.GIE_HEALTH)
async def readiness(picker: Picker) -> None:
    """`readiness` is SERVING once the picker knows its endpoints."""
    await _require_serving(picker, wire.READINESS)


@case(Level.MUST, Profile.HEALTH, sources.GIE_HEALTH)
async def ext_proc_service(picker: Picker) -> None:
    """The ext_proc service's own name, which Envoy's active health check asks for, is SERVING."""
    await _require_serving(picker, wire.SERVICE)


@case(Level.SHOULD, Profile.HEALTH, sources.GIE_CHARTS)
async def chart_probe(picker: Picker) -> None:
    """`inference-extension`, which the charts of GIE probe, is SERVING."""
    await _require_serving(picker, wire.CHART_PROBE)


@case(Level.SHOULD, Profile.HEALTH, sources.GRPC_HEALTH)
async def whole_server(picker: Picker) -> None:
    """The empty name, which asks for the whole server, is SERVING."""
    await _require_serving(picker, "")


@case(Level.SHOULD, Profile.HEALTH, sources.GRPC_HEALTH)
async def unknown_name(picker: Picker) -> None:
    """A name that the picker does not know is NOT_FOUND, so that a misspelt probe is seen."""
    code, status = await _checked(picker, UNKNOWN_NAME)
    require(code == NOT_FOUND, f"{code}, {status}")


@case(Level.SHOULD, Profile.HEALTH, sources.GRPC_HEALTH)
async def watch_begins_with_the_status(picker: Picker) -> None:
    """A watch says the status at once, and stays open."""
    status = await _watched(picker, wire.SERVICE)
    require(status == "SERVING", f"first message: {status}")


@case(Level.MAY, Profile.HEALTH, sources.GRPC_HEALTH)
async def watch_of_an_unknown_name(picker: Picker) -> None:
    """A watch of a name that the picker does not know says SERVICE_UNKNOWN, and waits for it to come."""
    status = await _watched(picker, UNKNOWN_NAME)
    require(status == "SERVICE_UNKNOWN", f"first message: {status}")


async def _require_serving(picker: Picker, service: str) -> None:
    code, status = await _checked(picker, service)
    require((code, status) == (OK, "SERVING"), f"{code}, {status}")


async def _checked(picker: Picker, service: str) -> tuple[str, str]:
    check = picker.health.unary_unary(wire.HEALTH_CHECK, request_serializer=_request, response_deserializer=_status)
    try:
        return OK, await check(service, timeout=picker.target.patience)
    except grpc.aio.AioRpcError as error:
        return error.code().name, "no status"


async def _watched(picker: Picker, service: str) -> str:
    watch = picker.health.unary_stream(wire.HEALTH_WATCH, request_serializer=_request, response_deserializer=_status)
    call = watch(service, timeout=picker.target.patience)
    try:
        first = await call.read()
    except grpc.aio.AioRpcError as error:
        raise Violation(error.code().name) from None
    finally:
        call.cancel()
    return first if isinstance(first, str) else "none"


def _request(service: str) -> bytes:
    """Return a HealthCheckRequest: one string, field 1."""
    name = service.encode()
    return b"\x0a" + bytes([len(name)]) + name if name else b""


def _status(response: bytes) -> str:
    """Return the status in a HealthCheckResponse: one enumeration, field 1."""
    number = response[1] if response[:1] == b"\x08" else 0
    return _STATUS.get(number, str(number))
