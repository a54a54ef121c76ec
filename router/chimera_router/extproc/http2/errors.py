"""What a peer can do wrong, and how far it reaches."""

from chimera_router.errors import ChimeraError
from chimera_router.extproc.http2.frames import Code


class ConnectionFault(ChimeraError):  # noqa: N818 - the RFC's word is error, of which this is the cause
    """The connection has to end."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.name)
        self.code = code


class StreamFault(ChimeraError):  # noqa: N818 - as above
    """One stream has to end."""

    def __init__(self, stream: int, code: Code) -> None:
        super().__init__(code.name)
        self.stream = stream
        self.code = code
