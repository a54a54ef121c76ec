"""The dashboard of a pool: what it is asked, how well and how fast it answers."""

from making.grafana import POOL, Dashboard, Panel, highest, mean, quantile, rate, total

VARIABLES = {
    "namespace": "label_values(chimera_streams, namespace)",
    "pool": 'label_values(chimera_streams{namespace="$namespace"}, chimera_dev_pool)',
}

OVERVIEW = Dashboard(
    title="Chimera / Pool",
    variables=VARIABLES,
    panels=(
        Panel(
            title="Requests by model",
            text="Which models the pool's requests go to. Under load the smaller ones get more of them.",
            unit="reqps",
            queries={"{{model}}": rate("chimera_requests_total", "model")},
        ),
        Panel(
            title="Refused by the picker",
            text="By status. 404: no such model. 429: the hold queue is full. 503: no engine serves.",
            unit="reqps",
            queries={"{{code}}": rate("chimera_requests_refused_total", "code")},
        ),
        Panel(
            title="Time of answers",
            text="From the decision to the last byte, at the median and the 95th percentile.",
            unit="s",
            queries={
                "{{model}} p50": quantile(0.5, "chimera_request_seconds", "model"),
                "{{model}} p95": quantile(0.95, "chimera_request_seconds", "model"),
            },
        ),
        Panel(
            title="Time to the first byte of answers",
            text="From the decision to the first byte of the body: the queue and the prompt.",
            unit="s",
            queries={
                "{{model}} p50": quantile(0.5, "chimera_first_byte_seconds", "model"),
                "{{model}} p95": quantile(0.95, "chimera_first_byte_seconds", "model"),
            },
        ),
        Panel(
            title="Output tokens",
            text="What the models write, for each second.",
            unit="short",
            queries={"{{model}}": rate("chimera_output_tokens_sum", "model")},
        ),
        Panel(
            title="Answers by status",
            text="4xx are the clients', 5xx the engines'.",
            unit="reqps",
            queries={"{{model}} {{status}}": rate("chimera_answers_total", "model", "status")},
        ),
        Panel(
            title="Confidence in the model chosen",
            text="Mean of the predicted chance to be right. It falls where load drives requests to smaller models.",
            unit="percentunit",
            queries={"{{model}}": mean("chimera_confidence", "model"), "all": mean("chimera_confidence")},
        ),
        Panel(
            title="Endpoints that take requests",
            text="As the pickers see them; each picker looks for itself, and the least counts.",
            unit="short",
            queries={
                "{{model}}": f"min by (model) (sum by (pod, model) (chimera_endpoint_ready{{{POOL}}}))",
            },
        ),
        Panel(
            title="Predicted tokens in flight",
            text="What the pickers have sent and await, by which models scale.",
            unit="short",
            queries={"{{model}}": total("chimera_in_flight_tokens", "model")},
        ),
        Panel(
            title="Requests that wait",
            text="In the engines, and in the pickers where flow control holds them.",
            unit="short",
            queries={
                "{{chimera_dev_model}} in engines": total("vllm:num_requests_waiting", "chimera_dev_model"),
                "in pickers": total("chimera_flow_control_queue_size"),
            },
        ),
        Panel(
            title="KV cache in use",
            text="The fullest engine of each model. At 1 requests wait or are put back.",
            unit="percentunit",
            queries={"{{chimera_dev_model}}": highest("vllm:kv_cache_usage_perc", "chimera_dev_model")},
        ),
        Panel(
            title="Requests put back by engines",
            text="Preempted for want of KV cache, and computed again. Lower maxNumSeqs where that is not rare.",
            unit="reqps",
            queries={"{{chimera_dev_model}}": rate("vllm:num_preemptions_total", "chimera_dev_model")},
        ),
    ),
)
