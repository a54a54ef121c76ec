"""What a comparison can play: a policy, an order of the queues, what is foreseen, and how all that is tuned."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from inspect import Parameter, getdoc, signature
from itertools import product

from chimera_bench.engine.types import SchedulingPolicy
from chimera_bench.serving import ServingPool
from chimera_router.flowcontrol.types import HoldLimits
from chimera_router.scheduling.orders import Arrival, Order
from chimera_router.scheduling.policies import Policy
from chimera_router.scheduling.scheduler import Scheduler

Params = Mapping[str, float]


class Source(StrEnum):
    """Where what is foreseen comes from: a bundle, each model's averages over other tasks, or what came true."""

    BUNDLE = "bundle"
    AVERAGES = "averages"
    TRUTH = "truth"


class Kind(StrEnum):
    """What a contestant is there for; a reference knows what nobody can, an ablation is Chimera but for one part."""

    CHIMERA = "chimera"
    BASELINE = "baseline"
    REFERENCE = "reference"
    ABLATION = "ablation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What may be known of a pool before anything arrives.

    Attributes:
        pool: Its models and engines.
        success: Share of right answers of each model, on other tasks than those replayed.
        capacity: Workflows a second that each model's engines serve when full.
    """

    pool: ServingPool
    success: Mapping[str, float]
    capacity: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A setting, ready to play.

    Attributes:
        policy: Chooses the model.
        order: Of the engines' queues; under `Arrival` engines are first come, first served.
        lengths: Where predicted tokens come from.
        confidence: Where confidences come from.
        restage: See `Scheduler`.
        flow_control: Caps of the picker's hold queue; None sends requests on at once.
    """

    policy: Policy
    order: Order = field(default_factory=Arrival)
    lengths: Source = Source.BUNDLE
    confidence: Source = Source.BUNDLE
    restage: float | None = None
    flow_control: HoldLimits | None = None

    @property
    def scheduler(self) -> Scheduler:
        """The scheduler that plays it."""
        return Scheduler(policy=self.policy, order=self.order, restage=self.restage)

    @property
    def queueing(self) -> SchedulingPolicy:
        """How engines are started."""
        return SchedulingPolicy.FCFS if isinstance(self.order, Arrival) else SchedulingPolicy.PRIORITY


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """A method and its settings.

    Attributes:
        kind: What it is there for.
        build: Makes a setting of a background and of parameters, which are keywords with defaults.
        grid: Values of each parameter that a sweep combines; empty where there is nothing to tune.
    """

    kind: Kind
    build: Callable[..., Setup]
    grid: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What records call it."""
        return self.build.__name__.replace("_", "-")

    @property
    def summary(self) -> str:
        """The first line of what it is."""
        return (getdoc(self.build) or "").partition("\n")[0]

    @property
    def defaults(self) -> Params:
        """The parameters of its own choice."""
        found = signature(self.build).parameters.values()
        return {each.name: each.default for each in found if each.kind is Parameter.KEYWORD_ONLY}

    def settings(self, *, swept: bool) -> list[Params]:
        """Return its own choice and, where it is swept, all others of its grid after it."""
        own = self.defaults
        if not swept:
            return [own]
        combined = ({**own, **dict(zip(self.grid, values, strict=True))} for values in product(*self.grid.values()))
        return [own, *(params for params in combined if params != own)]
