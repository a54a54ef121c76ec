"""The picker's Prometheus metrics, each defined once."""

from collections.abc import Callable, Iterable
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chimera_router.scheduling.steering import Steering
from chimera_router.scheduling.types import Coefficients, PoolSnapshot
from chimera_router.telemetry.instruments import Counter, Gauge, Histogram

_FAST = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25)  # seconds; the picker's own work
_SLOW = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250)  # seconds; an engine's work
_TOKENS = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
_RATIO = (0.1, 0.25, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 4, 10)
_OFF = (1.1, 1.25, 1.5, 2, 2.5, 3, 4, 6, 10)  # factors, 1 is exact
_SQUARE = (0.01, 0.04, 0.09, 0.16, 0.25, 0.36, 0.49, 0.64, 0.81)  # the squares of a tenth, two tenths, ...
_SHARE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class SnapshotSource(Protocol):
    """What the pool's gauges are read from."""

    def snapshot(self) -> PoolSnapshot:
        """Return the pool at this moment."""

    def workflows(self) -> int:
        """Return the number of workflows in the table."""

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds on the clock that stamps engines' metrics."""


class Metrics:
    """One picker's registry. Labels are names from the configuration, never text from a client."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.requests = Counter("chimera_requests", "Requests sent to a model", ["model"], registry=r)
        self.refused = Counter("chimera_requests_refused", "Requests the picker answered itself", ["code"], registry=r)
        self.answers = Counter("chimera_answers", "Answers by status class", ["model", "status"], registry=r)
        self.unfinished = Counter("chimera_answers_unfinished", "Exchanges that ended early", ["model"], registry=r)
        self.streams = Gauge("chimera_streams", "Open ext_proc streams", registry=r)
        self.connections = Gauge("chimera_connections", "Open connections of the native transport", registry=r)
        self.violations = Counter("chimera_protocol_violations", "Streams ended by the protocol", registry=r)
        self.decisions = Counter("chimera_decisions", "Decisions by rule", ["model", "reason"], registry=r)
        self.decision_seconds = Histogram("chimera_decision_seconds", "Parsed body to route", buckets=_FAST, registry=r)
        self.prediction_seconds = Histogram(
            "chimera_prediction_seconds", "Predictor's answer", buckets=_FAST, registry=r
        )
        self.fallbacks = Counter("chimera_prediction_fallbacks", "Heuristic answers", ["reason"], registry=r)
        self.judgements = Counter("chimera_feedback", "Workflows judged by their application", ["model"], registry=r)
        self.bundles_refused = Counter("chimera_bundles_refused", "Bundles not loaded", registry=r)
        self.reloads = Counter("chimera_config_reloads", "Configuration swaps", ["file", "result"], registry=r)
        self.stages = Counter("chimera_workflow_stages", "Stages by recognition", ["found_by"], registry=r)
        self.applications = Counter(
            "chimera_application_requests", "By what lengths know of the application", ["known_as"], registry=r
        )
        self.kept = Counter("chimera_workflow_stages_kept", "Later stages that kept their model", registry=r)
        self.duration = Histogram("chimera_request_seconds", "Route to end", ["model"], buckets=_SLOW, registry=r)
        self.first_byte = Histogram("chimera_first_byte_seconds", "Route to body", ["model"], buckets=_SLOW, registry=r)
        self.output_tokens = Histogram("chimera_output_tokens", "Per answer", ["model"], buckets=_TOKENS, registry=r)
        self.prompt_tokens = Histogram("chimera_prompt_tokens", "Per answer", ["model"], buckets=_TOKENS, registry=r)
        self.cached_tokens = Counter("chimera_cached_tokens", "Prompt tokens in a prefix cache", ["model"], registry=r)
        self.confidence = Histogram("chimera_confidence", "Of the model chosen", ["model"], buckets=_SHARE, registry=r)
        self.length_ratio = Histogram(
            "chimera_length_ratio", "Tokens generated over tokens predicted", ["model"], buckets=_RATIO, registry=r
        )
        # What the online correction is worth: the same answers and judgements before and after it.
        self.length_error = Histogram(
            "chimera_length_error_factor",
            "Tokens generated over tokens predicted, or the inverse, whichever is above 1",
            ["model", "correction"],
            buckets=_OFF,
            registry=r,
        )
        self.step_time_error = Histogram(
            "chimera_step_time_error_factor",
            "Seconds in the engine over seconds expected for as many tokens, or the inverse, whichever is above 1",
            ["model", "fit"],
            buckets=_OFF,
            registry=r,
        )
        self.confidence_error = Histogram(
            "chimera_confidence_squared_error",
            "Of the chance predicted, once the workflow was judged; its mean is the Brier score",
            ["model", "correction"],
            buckets=_SQUARE,
            registry=r,
        )

    def step_time_off(self, model: str, *, before: float, after: float, seconds: float) -> None:
        """Count by what factors an engine's time was off, expected by coefficients as configured and as fitted."""
        for fit, expected in (("before", before), ("after", after)):
            ratio = seconds / expected
            self.step_time_error.labels(model, fit).observe(max(ratio, 1.0 / ratio))

    def length_off(self, model: str, *, before: float, after: float, tokens: float) -> None:
        """Count by what factors a length was off, predicted before and after the online correction."""
        for correction, predicted in (("before", before), ("after", after)):
            ratio = max(1.0, tokens) / max(1.0, predicted)
            self.length_error.labels(model, correction).observe(max(ratio, 1.0 / ratio))

    def confidence_off(self, model: str, *, before: float, after: float, success: float) -> None:
        """Count how far a chance was off, predicted before and after the online correction."""
        for correction, predicted in (("before", before), ("after", after)):
            self.confidence_error.labels(model, correction).observe((predicted - success) ** 2)

    def page(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def watch(self, gauges: Collector) -> None:
        """Add gauges that are read at each scrape."""
        self.registry.register(gauges)


class CorrectionCollector(Collector):
    """Gauges of the online correction.

    Args:
        corrections: Iterated at each scrape: model, length factor, confidence correction in logits.
    """

    def __init__(self, corrections: Iterable[tuple[str, float, float]]) -> None:
        self._corrections = corrections

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return one family a gauge."""
        length = GaugeMetricFamily("chimera_length_correction_factor", "Predicted tokens times this", labels=["model"])
        logits = GaugeMetricFamily("chimera_confidence_correction_logits", "Added to confidence", labels=["model"])
        for model, factor, shift in self._corrections:
            length.add_metric([model], factor)
            logits.add_metric([model], shift)
        return [length, logits]


class FitCollector(Collector):
    """Gauges of the engines' coefficients as they are fitted.

    Args:
        fits: Iterated at each scrape: model and coefficients.
    """

    def __init__(self, fits: Iterable[tuple[str, Coefficients]]) -> None:
        self._fits = fits

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return one family a coefficient."""
        base = GaugeMetricFamily("chimera_base_step_seconds", "Of a decode step, for any batch", labels=["model"])
        each = GaugeMetricFamily("chimera_step_per_sequence_seconds", "Each request adds to it", labels=["model"])
        prefill = GaugeMetricFamily("chimera_prefill_per_token_seconds", "Of an uncached token", labels=["model"])
        for model, coefficients in self._fits:
            base.add_metric([model], coefficients.base_step)
            each.add_metric([model], coefficients.per_sequence)
            prefill.add_metric([model], coefficients.prefill_per_token)
        return [base, each, prefill]


class PriceCollector(Collector):
    """Gauges of the price that is steered; none where none is.

    Args:
        steering: Read at each scrape.
    """

    def __init__(self, steering: Steering) -> None:
        self._steering = steering

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the price, what it is to hold, and what it holds."""
        price = GaugeMetricFamily("chimera_price", "Confidence per second")
        target = GaugeMetricFamily("chimera_price_target", "Mean to hold", labels=["mean"])
        held = GaugeMetricFamily("chimera_price_held", "The mean of late", labels=["mean"])
        steer = self._steering.steer
        if steer is not None:
            price.add_metric([], steer.price)
            target.add_metric([steer.target.name], steer.target.value)
            held.add_metric([steer.target.name], steer.mean)
        return [price, target, held]


class ApplicationCollector(Collector):
    """Gauges of the applications learned online, which have no names of their own here: clients make those.

    Args:
        learned: Returns how many there are, and how many made room for others.
    """

    def __init__(self, learned: Callable[[], tuple[int, int]]) -> None:
        self._learned = learned

    def collect(self) -> Iterable[Metric]:
        """Return one family a number."""
        count, forgotten = self._learned()
        return [
            GaugeMetricFamily("chimera_applications_learned", "Applications learned online", value=count),
            CounterMetricFamily("chimera_applications_forgotten", "Those that made room for others", value=forgotten),
        ]


class PoolCollector(Collector):
    """Gauges of the pool, made from a snapshot when somebody looks."""

    def __init__(self, source: SnapshotSource) -> None:
        self._source = source

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return one family a gauge."""
        snapshot, now = self._source.snapshot(), self._source.clock()
        labels = ["endpoint", "model"]
        ready = GaugeMetricFamily("chimera_endpoint_ready", "Whether it can take requests", labels=labels)
        requests = GaugeMetricFamily("chimera_in_flight_requests", "This picker's own", labels=labels)
        tokens = GaugeMetricFamily("chimera_in_flight_tokens", "Predicted output tokens to come", labels=labels)
        waiting = GaugeMetricFamily("chimera_engine_waiting_requests", "As the engine says", labels=labels)
        age = GaugeMetricFamily(
            "chimera_engine_metrics_age_seconds", "Since the engine said what is believed of it", labels=labels
        )
        for state in snapshot.endpoints:
            names = [state.endpoint.name, state.endpoint.model]
            ready.add_metric(names, float(state.ready))
            requests.add_metric(names, state.load.requests)
            tokens.add_metric(names, state.load.tokens)
            if state.metrics:
                waiting.add_metric(names, state.metrics.waiting)
                age.add_metric(names, now - state.metrics.scraped_at)
        workflows = GaugeMetricFamily("chimera_workflows_open", "Workflows in the program table")
        workflows.add_metric([], self._source.workflows())
        return [ready, requests, tokens, waiting, age, workflows]
