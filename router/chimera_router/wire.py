"""Every header and metadata name on the wire, once."""

# Destination, as the endpoint picker protocol 1.0.0 names it (GIE proposal 004).
DESTINATION = "x-gateway-destination-endpoint"
DESTINATION_NAMESPACE = "envoy.lb"
SUBSET = "x-gateway-destination-endpoint-subset"
SUBSET_NAMESPACE = "envoy.lb.subset_hint"
SERVED = "x-gateway-destination-endpoint-served"

# Chimera's own.
WORKFLOW_ID = "x-chimera-workflow-id"
MODEL = "x-chimera-model"
EXPLAIN = "x-chimera-explain"
DECISION = "x-chimera-decision"
DROPPED_REASON = "x-chimera-dropped-reason"
TENANT = "x-chimera-tenant"
APPLICATION = "x-chimera-application"

# The names llm-d and clients already use; read, in this order, where Chimera's own is absent.
SESSION_IDS = (
    "x-session-id",
    "x-session-token",
    "x-claude-code-session-id",
    "x-session-affinity",
    "session-id",
    "session_id",
)
OBJECTIVES = ("x-llm-d-inference-objective", "x-gateway-inference-objective")
FAIRNESS_IDS = ("x-llm-d-inference-fairness-id", "x-gateway-inference-fairness-id")

REQUEST_ID = "x-request-id"
RETRY_COUNT = "x-stainless-retry-count"  # how often OpenAI's SDKs have sent this request before
RETRY_AFTER = "retry-after"
CONTENT_LENGTH = "content-length"
CONTENT_TYPE = "content-type"
METHOD = ":method"
PATH = ":path"
STATUS = ":status"

HEALTH_SERVICES = ("", "liveness", "readiness", "inference-extension", "envoy.service.ext_proc.v3.ExternalProcessor")
