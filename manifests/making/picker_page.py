"""The dashboard of a pool's pickers: how they decide, and by what."""

from making.grafana import Dashboard, Panel, highest, mean, quantile, rate, total
from making.pool_page import VARIABLES

PICKER = Dashboard(
    title="Chimera / Picker",
    variables=VARIABLES,
    panels=(
        Panel(
            title="Time of a decision",
            text="From the parsed body to the route, predictions included. The budget at the 99th percentile is 5 ms.",
            unit="s",
            queries={
                "p50": quantile(0.5, "chimera_decision_seconds"),
                "p99": quantile(0.99, "chimera_decision_seconds"),
            },
        ),
        Panel(
            title="Time of a prediction",
            text="Until the predictor answers. Past its deadline running medians do.",
            unit="s",
            queries={
                "p50": quantile(0.5, "chimera_prediction_seconds"),
                "p99": quantile(0.99, "chimera_prediction_seconds"),
            },
        ),
        Panel(
            title="Decisions by reason",
            text="Which rule chose the model.",
            unit="reqps",
            queries={"{{reason}}": rate("chimera_decisions_total", "reason")},
        ),
        Panel(
            title="Predictions by running medians",
            text="Why the bundle did not answer. deadline and busy: the pickers lack CPU.",
            unit="reqps",
            queries={"{{reason}}": rate("chimera_prediction_fallbacks_total", "reason")},
        ),
        Panel(
            title="Workflows by what found them",
            text="By what the stage of a workflow was recognised.",
            unit="reqps",
            queries={"{{found_by}}": rate("chimera_workflow_stages_total", "found_by")},
        ),
        Panel(
            title="Open streams and workflows",
            text="Streams are requests under way; workflows are remembered for half an hour.",
            unit="short",
            queries={"streams": total("chimera_streams"), "workflows": total("chimera_workflows_open")},
        ),
        Panel(
            title="Error of predicted lengths",
            text="By what factor they are off in the mean, before and after the online correction. 1 is exact.",
            unit="short",
            queries={"{{model}} {{correction}}": mean("chimera_length_error_factor", "model", "correction")},
        ),
        Panel(
            title="Error of predicted confidence",
            text="Brier score of judged workflows, before and after the online correction. Even odds get .25.",
            unit="short",
            queries={"{{model}} {{correction}}": mean("chimera_confidence_squared_error", "model", "correction")},
        ),
        Panel(
            title="Error of step times",
            text="By what factor the engines' times are off in the mean, as configured (before) and as fitted (after).",
            unit="short",
            queries={"{{model}} {{fit}}": mean("chimera_step_time_error_factor", "model", "fit")},
        ),
        Panel(
            title="Price of a second",
            text="Confidence that the policy Marginal gives for a second, where it is steered to hold a mean.",
            unit="short",
            queries={"{{pod}}": highest("chimera_price", "pod")},
        ),
        Panel(
            title="Hold queue",
            text="Requests that wait in the pickers, by class.",
            unit="short",
            queries={"class {{priority}}": total("chimera_flow_control_queue_size", "priority")},
        ),
        Panel(
            title="Wait in the hold queue",
            text="Of requests that were in it, by what became of them.",
            unit="s",
            queries={"{{outcome}} p90": quantile(0.9, "chimera_flow_control_wait_seconds", "outcome")},
        ),
        Panel(
            title="Questions to engines",
            text="By what came of asking them for their load. All but believed count as unknown load.",
            unit="reqps",
            queries={"{{result}}": rate("chimera_engine_scrapes_total", "result")},
        ),
        Panel(
            title="Age of what is known of the endpoints",
            text="Since the API server last confirmed them. At ten minutes they go out of use.",
            unit="s",
            queries={"{{pod}}": highest("chimera_discovery_age_seconds", "pod")},
        ),
        Panel(
            title="Look-ups of shared workflows",
            text="What came of asking the other pickers, where they share workflows.",
            unit="reqps",
            queries={"{{outcome}}": rate("chimera_shared_lookups_total", "outcome")},
        ),
        Panel(
            title="Management calls not let in",
            text="Who calls metrics, status, explain or feedback without the right to.",
            unit="reqps",
            queries={"{{reason}}": rate("chimera_management_refused_total", "reason")},
        ),
    ),
)
