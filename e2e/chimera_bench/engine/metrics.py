"""What the engine says of itself to Prometheus, under vLLM's names (those of vLLM 0.32 and 0.33)."""

from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics import MetricWrapperBase

from chimera_bench.engine.model import Engine
from chimera_bench.engine.types import Event, EventKind
from chimera_router.scheduling.types import Coefficients

Metric = TypeVar("Metric", bound=MetricWrapperBase)

# Tokens of a KV block: vLLM's default. The simulator itself counts tokens.
BLOCK_SIZE = 16

# All that vLLM counts; it shows each from the start.
FINISH_REASONS = ("stop", "length", "abort", "error", "repetition")

# Upper bounds in seconds: vLLM's own, thinned out.
FIRST_TOKEN_BOUNDS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.25, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0)
LATENCY_BOUNDS = (0.3, 0.8, 1.5, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 120.0, 240.0, 480.0)
PACE_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.4, 0.8)


class EngineMetrics:
    """The families of one engine, in a registry of their own.

    Args:
        model: Value of the label `model_name`: the first of the served names, as in vLLM.
    """

    def __init__(self, model: str, coefficients: Coefficients) -> None:
        self._registry = CollectorRegistry()
        self._labels = {"model_name": model, "engine": "0"}
        self._kv_tokens = coefficients.kv_tokens
        self._counted_tokens = 0
        self._first_token_at: dict[str, float] = {}
        self._running = self._gauge("num_requests_running", "Requests in the batch")
        self._waiting = self._gauge("num_requests_waiting", "Requests in the queue")
        self._kv_usage = self._gauge("kv_cache_usage_perc", "Share of the KV cache in use, 0 to 1")
        self._info(coefficients.kv_tokens // BLOCK_SIZE)
        self._preemptions = self._counter("num_preemptions", "Requests put back into the queue")
        self._prompt_tokens = self._counter("prompt_tokens", "Tokens of prompts that were admitted")
        self._generation_tokens = self._counter("generation_tokens", "Tokens generated")
        self._prefix_queries = self._counter("prefix_cache_queries", "Prompt tokens looked up in the prefix cache")
        self._prefix_hits = self._counter("prefix_cache_hits", "Prompt tokens found in the prefix cache")
        self._success = Counter(
            "vllm:request_success", "Requests that ended", (*self._labels, "finished_reason"), registry=self._registry
        )
        for reason in FINISH_REASONS:
            self._success.labels(**self._labels, finished_reason=reason)
        self._first_token = self._histogram("time_to_first_token_seconds", "Until the first token", FIRST_TOKEN_BOUNDS)
        self._latency = self._histogram("e2e_request_latency_seconds", "Until the last token", LATENCY_BOUNDS)
        self._queued = self._histogram("request_queue_time_seconds", "Until admission", LATENCY_BOUNDS)
        self._pace = self._histogram("request_time_per_output_token_seconds", "Mean of the later tokens", PACE_BOUNDS)

    def observe(self, event: Event) -> None:
        """Count what has happened to a request."""
        match event.kind:
            case EventKind.ADMITTED:
                self._observe_admitted(event)
            case EventKind.FIRST_TOKEN:
                self._first_token_at[event.request.id] = event.at
                self._first_token.observe(event.at - event.submitted_at)
            case EventKind.PREEMPTED:
                self._preemptions.inc()
            case EventKind.FINISHED:
                self._observe_finished(event)

    def observe_end(self, request_id: str, reason: str) -> None:
        """Count a request that ended, for a reason of vLLM's: `stop`, `length` or `abort`."""
        self._first_token_at.pop(request_id, None)
        self._success.labels(**self._labels, finished_reason=reason).inc()

    def exposition(self, engine: Engine, now: float) -> bytes:
        """Return all families in Prometheus' text format, with the engine's state at this moment."""
        self._running.set(len(engine.running))
        self._waiting.set(len(engine.waiting))
        self._kv_usage.set(engine.used_tokens(now) / self._kv_tokens)
        made = engine.generated_tokens(now)
        self._generation_tokens.inc(made - self._counted_tokens)
        self._counted_tokens = made
        return generate_latest(self._registry)

    def _observe_admitted(self, event: Event) -> None:
        self._prefix_queries.inc(event.request.prompt_tokens)
        self._prefix_hits.inc(event.cached_tokens)
        if event.request.id not in self._first_token_at:  # else it comes back from preemption
            self._prompt_tokens.inc(event.request.prompt_tokens)
            self._queued.observe(event.at - event.submitted_at)

    def _observe_finished(self, event: Event) -> None:
        self._latency.observe(event.at - event.submitted_at)
        if (later := event.request.output_tokens - 1) > 0:
            self._pace.observe((event.at - self._first_token_at[event.request.id]) / later)

    def _info(self, blocks: int) -> None:
        labels = {"engine": "0", "block_size": str(BLOCK_SIZE), "num_gpu_blocks": str(blocks)}
        info = Gauge("vllm:cache_config_info", "Layout of the KV cache", tuple(labels), registry=self._registry)
        info.labels(**labels).set(1)

    def _gauge(self, name: str, text: str) -> Gauge:
        return self._of_engine(Gauge(f"vllm:{name}", text, tuple(self._labels), registry=self._registry))

    def _counter(self, name: str, text: str) -> Counter:
        return self._of_engine(Counter(f"vllm:{name}", text, tuple(self._labels), registry=self._registry))

    def _histogram(self, name: str, text: str, bounds: tuple[float, ...]) -> Histogram:
        labels = tuple(self._labels)
        return self._of_engine(Histogram(f"vllm:{name}", text, labels, buckets=bounds, registry=self._registry))

    def _of_engine(self, metric: Metric) -> Metric:
        return metric.labels(**self._labels)
