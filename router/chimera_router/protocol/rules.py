"""What holds for every stream of a pool."""

from dataclasses import dataclass, field

from chimera_router import wire
from chimera_router.parsing.limits import Limits
from chimera_router.protocol.catalog import Catalog
from chimera_router.protocol.events import Headers
from chimera_router.protocol.intake import Intake


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a stream may ask for, how much of it, and whether by the headers of conformance tests.

    Attributes:
        intake: Shared by all streams of the picker.
        prefix: Beginning of the paths that belong to the pool; a gateway may or may not have taken it off.
        conformance: Whether headers of GIE's conformance tests are heeded, and other paths than the APIs' taken.
    """

    catalog: Catalog
    limits: Limits = field(default_factory=Limits)
    intake: Intake = field(default_factory=Intake)
    prefix: str = ""
    conformance: bool = False

    def path(self, asked: str) -> str:
        """Return the path of a request without the pool's prefix and without a query."""
        path = asked.partition("?")[0]
        return path.removeprefix(self.prefix) if path.startswith(f"{self.prefix}/") else path

    def response_marks(self, served: str | None) -> Headers:
        """Return what conformance tests look for on an answer."""
        if not self.conformance:
            return ()
        return (wire.TEST_MARK, (wire.TEST_SERVED, served)) if served else (wire.TEST_MARK,)
