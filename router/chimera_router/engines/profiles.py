"""Under which names each kind of engine tells Prometheus of its load.

Sources: vLLM's `vllm/v1/metrics/loggers.py`, SGLang's `srt/observability/metrics_collector.py`, TensorRT-LLM's
`tensorrt_llm/metrics/collector.py`, and the model server protocol of llm-d-router.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

_METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")  # Prometheus' data model


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineProfile:
    """Where one kind of engine says what. Of several names for one thing, the first that a page has counts.

    Attributes:
        running: Requests in the batch.
        waiting: Requests in the queue.
        kv_usage: Share of the KV cache in use, 0 to 1.
        pulse: What moves with every step of the engine; empty where nothing does.
        breakdown: Label that, where it has a value, marks a part of a total that stands before it; empty for none.
        path: Of the page.
    """

    running: tuple[bytes, ...]
    waiting: tuple[bytes, ...]
    kv_usage: tuple[bytes, ...]
    pulse: tuple[bytes, ...] = ()
    breakdown: bytes = b""
    path: str = "/metrics"

    def renamed(self, *, running: str, waiting: str, kv_usage: str) -> Self:
        """Return the profile of an engine of this kind that has other names for its load."""
        return replace(self, running=(running.encode(),), waiting=(waiting.encode(),), kv_usage=(kv_usage.encode(),))


VLLM = EngineProfile(
    running=(b"vllm:num_requests_running",),
    waiting=(b"vllm:num_requests_waiting",),
    # Renamed in 0.9.2; the old name was hidden in 0.11 and is gone since 0.12.
    kv_usage=(b"vllm:kv_cache_usage_perc", b"vllm:gpu_cache_usage_perc"),
    pulse=(b"vllm:generation_tokens_total",),
)

SGLANG = EngineProfile(  # with --enable-metrics
    running=(b"sglang:num_running_reqs",),
    waiting=(b"sglang:num_queue_reqs",),
    kv_usage=(b"sglang:token_usage",),
    pulse=(b"sglang:gen_throughput",),
    breakdown=b"priority",  # with --enable-priority-scheduling: a total without a value, and one line a priority
)

TRTLLM = EngineProfile(  # trtllm-serve 1.3, with return_perf_metrics and enable_iter_perf_stats
    running=(b"trtllm_num_requests_running",),
    waiting=(b"trtllm_num_requests_waiting",),
    kv_usage=(b"trtllm_kv_cache_utilization",),
    pulse=(b"trtllm_iteration_latency_seconds",),
    path="/prometheus/metrics",  # its /metrics is JSON
)

PROFILES: Mapping[str, EngineProfile] = {"vllm": VLLM, "sglang": SGLANG, "trtllm": TRTLLM}


def is_metric_name(text: str) -> bool:
    """Return whether Prometheus would take a text as a metric's name."""
    return _METRIC_NAME.fullmatch(text) is not None
