"""What may carry ext_proc streams."""

from enum import StrEnum


class Transport(StrEnum):
    """The picker's own HTTP/2, or grpc.aio."""

    NATIVE = "native"
    GRPC = "grpc"
