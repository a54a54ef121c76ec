"""A director over a small pool, with a predictor and clocks that tests command."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

from pools import FAST, SLOW, model, prediction

from chimera_router.arrivals import ActivePool
from chimera_router.datalayer.datastore import Datastore
from chimera_router.director import Director
from chimera_router.discovery_settings import FileDiscovery
from chimera_router.flowcontrol.types import HoldLimits
from chimera_router.parsing.limits import Limits
from chimera_router.prediction.port import Judgement, Observation, Query
from chimera_router.protocol.catalog import Catalog
from chimera_router.scheduling.ledger import Ledger
from chimera_router.scheduling.policies import Slack
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import Endpoint, ModelPrediction, Predictions, PredictionSource
from chimera_router.settings import BundleSource, PoolSettings
from chimera_router.sharing.port import SharedWorkflows
from chimera_router.telemetry.metrics import Metrics, PoolCollector
from chimera_router.workflow.table import ProgramTable


class FakePredictor:
    """Answers what it is told to, and remembers what it was asked and shown.

    Attributes:
        faulty: How many of the next answers are none at all.
        broken: Raised instead of the next answers.
    """

    def __init__(self, **by_model: ModelPrediction) -> None:
        self.source = PredictionSource.BUNDLE
        self.by_model = by_model
        self.asked: list[Query] = []
        self.seen: list[Observation] = []
        self.judged: list[Judgement] = []
        self.prompt = True
        self.faulty = 0
        self.broken: Exception | None = None

    def predict_all(self, queries: Sequence[Query]) -> Sequence[Predictions]:
        self.asked += queries
        if self.broken is not None:
            raise self.broken
        return [self._answer() for _ in queries]

    async def predict(self, query: Query) -> Predictions:
        return self.predict_all([query])[0]

    def _answer(self) -> Predictions:
        self.faulty -= 1
        return Predictions(by_model=self.by_model if self.faulty < 0 else {}, source=self.source)

    def observe(self, observation: Observation) -> None:
        self.seen.append(observation)

    def judge(self, judgement: Judgement) -> None:
        self.judged.append(judgement)

    async def aclose(self) -> None:
        """Hold nothing."""


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


MODELS = {"small": model("small", FAST), "large": model("large", SLOW)}


def settings(limits: Limits | None = None, flow_control: HoldLimits | None = None) -> PoolSettings:
    return PoolSettings(
        models=MODELS,
        catalog=Catalog.of("assistants", MODELS.values()),
        scheduler=Scheduler(policy=Slack(1.0, 0.1)),
        limits=limits or Limits(),
        bundle=BundleSource(path=None, sha256=""),
        discovery=FileDiscovery(Path("endpoints.json")),
        flow_control=flow_control,
    )


def director(
    predictor: FakePredictor | None = None,
    *,
    small: str = "127.0.0.1:1",
    large: str = "127.0.0.1:2",
    ready: bool = True,
    limits: Limits | None = None,
    flow_control: HoldLimits | None = None,
    clock: Callable[[], float] | None = None,
    wall: Callable[[], float] | None = None,
    shared: SharedWorkflows | None = None,
) -> Director:
    """Return a director over one endpoint each of `small` and `large`; the predictor is sure of `large`."""
    ledger, metrics, clock, ids = Ledger(), Metrics(), clock or Clock(), itertools.count()
    datastore = Datastore(ledger, clock=clock)
    datastore.replace(
        [
            Endpoint(name="small-0", address=small, model="small"),
            Endpoint(name="large-0", address=large, model="large"),
        ]
    )
    for address in (small, large) if ready else ():
        datastore.answered(address, None)
    made = Director(
        pool=ActivePool(
            settings=settings(limits, flow_control),
            predictor=predictor or FakePredictor(small=prediction(0.4), large=prediction(0.9)),
        ),
        datastore=datastore,
        table=ProgramTable(new_id=lambda: f"wf-{next(ids)}"),
        ledger=ledger,
        metrics=metrics,
        clock=clock,
        wall=wall or (lambda: 1_767_225_600.0 + clock()),
        shared=shared,
    )
    metrics.watch(PoolCollector(made))
    return made
