"""Where the transformer inside a text graph is computed; everything else takes one thread and microseconds."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

CUDA_PROVIDER, CPU_PROVIDER = "CUDAExecutionProvider", "CPUExecutionProvider"


class Device(StrEnum):
    """What computes."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compute:
    """How a transformer is computed.

    Attributes:
        device: `auto` takes a graphics card where onnxruntime has one, and a processor otherwise.
        threads: On a processor. One leaves the other cores to the event loop and to other pickers; a second one makes
            a single text a third faster.
    """

    device: Device = Device.AUTO
    threads: int = 1

    def providers(self, available: Collection[str]) -> list[str]:
        """Return onnxruntime's providers to use, in order of preference, of those available."""
        if self.device is Device.CUDA or (self.device is Device.AUTO and CUDA_PROVIDER in available):
            return [CUDA_PROVIDER, CPU_PROVIDER]
        return [CPU_PROVIDER]


TRANSFORMER = Compute()
ONE_THREAD = Compute(device=Device.CPU)
