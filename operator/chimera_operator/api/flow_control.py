"""Where a pool's requests wait while every engine is busy."""

from typing import Annotated

from pydantic import Field

from chimera_operator.api.document import Document
from chimera_operator.api.scalars import Bytes, Count


class FlowControl(Document):
    """Requests wait in the picker while every engine is busy, in order, instead of in the engines."""

    enabled: bool = False
    """Whether they do."""
    max_requests: Count | None = None
    """Requests that wait at once; what passes it is refused with 429. Unset: the router's default."""
    max_bytes: Bytes | None = None
    """Bytes of their bodies. Unset: the router's default."""
    per_tenant_max_requests: Count | None = None
    """Requests of one tenant among them. Unset: as many as the queue takes."""
    per_tenant_max_bytes: Bytes | None = None
    """Bytes of their bodies. Unset: as many as the queue takes."""
    ttl: Annotated[float, Field(gt=0, le=300)] = 60.0
    """Seconds after which a request that still waits is refused; below what gateways give a picker for its answer."""
    objectives: Annotated[dict[str, Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]], Field(max_length=64)] = Field(
        default_factory=dict
    )
    """Priority class by the name of an InferenceObjective, which requests give in a header. A higher class goes
    strictly first; a negative one is refused as soon as it would have to wait. Other names, and none, are class 0."""
