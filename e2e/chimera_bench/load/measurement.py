"""One measurement: load of one kind on one stack for a few seconds, and what it took."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields

from chimera_bench.load import processes
from chimera_bench.load.cases import Case, Mode
from chimera_bench.load.client import Load, clock
from chimera_bench.load.figures import QUANTILES, quantile
from chimera_bench.load.prompts import Prompts
from chimera_bench.load.stack import Stack
from chimera_operator.local.process import Child


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Figures of one measurement.

    Attributes:
        picker: Its name.
        case: What was asked for.
        mode: How fast.
        round: Which of the rounds.
        requests: That were answered.
        failed: That were not.
        rate: Answers a second, of those that came in time.
        latency: Seconds from when a request was to be sent to the end of its answer, at `QUANTILES`.
        first: The same to the first byte of its body.
        picker_us: Microseconds of processor time of the picker, and its children, a request.
        envoy_us: The same of Envoy.
        resident: Bytes of the picker's memory at the end.
        driver_cores: Cores that this process kept busy, which sends the requests.
        other_cores: Cores that were busy with what is no part of this.
    """

    picker: str
    case: str
    mode: str
    round: int
    requests: int
    failed: int
    rate: float
    latency: tuple[float, ...]
    first: tuple[float, ...]
    picker_us: float
    envoy_us: float
    resident: int
    driver_cores: float
    other_cores: float


@dataclass(frozen=True, slots=True)
class _Meter:
    """Processor time by who took it, up to a moment, in seconds."""

    at: float
    picker: float
    envoy: float
    engines: float
    driver: float
    machine: float

    @classmethod
    def read(cls, stack: Stack, engines: Child) -> "_Meter":
        return cls(
            at=clock(),
            picker=processes.processor_seconds(stack.picker.pid) if stack.picker else 0.0,
            envoy=processes.processor_seconds(stack.envoy.pid),
            engines=processes.processor_seconds(engines.pid),
            driver=time.process_time(),
            machine=processes.busy_seconds(),
        )

    def since(self, before: "_Meter") -> "_Meter":
        """Return what was taken between two moments, and the seconds between them."""
        return _Meter(*(getattr(self, field.name) - getattr(before, field.name) for field in fields(self)))

    @property
    def others(self) -> float:
        """What was taken by whoever has no part in this."""
        return self.machine - self.picker - self.envoy - self.engines - self.driver


async def measure(  # noqa: PLR0913 - what is measured, by name
    stack: Stack, engines: Child, *, case: Case, mode: Mode, seconds: float, number: int = 0
) -> Measurement:
    """Put load on a stack for so many seconds, and return what it took; `number` is the round's."""
    load, before = Load(stack.port, Prompts(case).next), _Meter.read(stack, engines)
    samples = await load.run(mode, seconds)
    spent = _Meter.read(stack, engines).since(before)
    good = [sample for sample in samples if sample.good]
    return Measurement(
        picker=stack.name,
        case=case.name,
        mode=mode.name,
        round=number,
        requests=len(good),
        failed=len(samples) - len(good),
        rate=sum(sample.ended <= before.at + seconds for sample in good) / seconds,
        latency=_at_quantiles([sample.seconds for sample in good]),
        first=_at_quantiles([sample.first - sample.due for sample in good if sample.first is not None]),
        picker_us=1e6 * spent.picker / max(1, len(good)),
        envoy_us=1e6 * spent.envoy / max(1, len(good)),
        resident=processes.resident_bytes(stack.picker.pid) if stack.picker else 0,
        driver_cores=spent.driver / spent.at,
        other_cores=max(0.0, spent.others / spent.at),
    )


def _at_quantiles(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(quantile(values, share) for share in QUANTILES)
