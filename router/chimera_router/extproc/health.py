"""What the picker says of itself to those who probe it: one truth under every name that gateways ask by."""

from collections.abc import Callable

from grpc_health.v1 import health_pb2

from chimera_router import wire

Tell = Callable[[bytes], None]

_Response = health_pb2.HealthCheckResponse
SERVING: bytes = _Response(status=_Response.SERVING).SerializeToString()
NOT_SERVING: bytes = _Response(status=_Response.NOT_SERVING).SerializeToString()
UNKNOWN: bytes = _Response(status=_Response.SERVICE_UNKNOWN).SerializeToString()


class Health:
    """Whether the picker serves, and who wants to be told of it."""

    def __init__(self) -> None:
        self._serving = False
        self._watchers: dict[Tell, str] = {}

    @property
    def serving(self) -> bool:
        """Whether new requests are welcome."""
        return self._serving

    @property
    def watchers(self) -> int:
        """How many want to be told."""
        return len(self._watchers)

    def knows(self, service: str) -> bool:
        """Return whether a name is one of those that gateways and probes ask by."""
        return service in wire.HEALTH_SERVICES

    def answer(self, service: str) -> bytes:
        """Return the message that answers for a name. Being alive is not being ready: liveness never wavers."""
        if not self.knows(service):
            return UNKNOWN
        return SERVING if self._serving or service == wire.LIVENESS else NOT_SERVING

    def say(self, *, serving: bool) -> None:
        """Say whether new requests are welcome, to all who watch too."""
        if serving is self._serving:
            return
        self._serving = serving
        for tell, service in tuple(self._watchers.items()):
            tell(self.answer(service))

    def watch(self, service: str, tell: Tell) -> None:
        """Tell somebody what is, and every change of it."""
        self._watchers[tell] = service
        tell(self.answer(service))

    def forget(self, tell: Tell) -> None:
        """Tell somebody nothing more."""
        self._watchers.pop(tell, None)
