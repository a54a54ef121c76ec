"""What a picker has to do on its gRPC stream, one module a subject."""

from typing import TYPE_CHECKING

from chimera_conformance.case import Case, collect
from chimera_conformance.cases import (
    body,
    buffered,
    destination,
    empty,
    fallback,
    health,
    hostile,
    limits,
    malformed,
    openai,
    request,
    response,
    selection,
    stream,
    subset,
    tls,
)

if TYPE_CHECKING:
    from chimera_conformance.picker import Picker

STREAM_CASES: "tuple[Case[Picker], ...]" = collect(
    [
        destination,
        subset,
        request,
        body,
        response,
        stream,
        buffered,
        openai,
        malformed,
        hostile,
        limits,
        health,
        tls,
        selection,
        fallback,
        empty,
    ]
)
