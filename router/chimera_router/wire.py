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
DROPPED_REASON = "x-chimera-dropped-reason"  # of every request that the picker answers with an error
LLM_D_DROPPED_REASON = "x-llm-d-request-dropped-reason"
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
MODEL_REWRITES = ("x-llm-d-model-name-rewrite", "x-gateway-model-name-rewrite")
FAIRNESS_IDS = ("x-llm-d-inference-fairness-id", "x-gateway-inference-fairness-id")

# What GIE's conformance suite asks with and looks for; heeded only where the picker was told to.
TEST_SELECTION = "test-epp-endpoint-selection"
TEST_SERVED = "x-conformance-test-served-endpoint"
TEST_MARK = ("x-went-into-resp-headers", "true")

REQUEST_ID = "x-request-id"
RETRY_COUNT = "x-stainless-retry-count"  # how often OpenAI's SDKs have sent this request before
RETRY_AFTER = "retry-after"
CONTENT_LENGTH = "content-length"
CONTENT_TYPE = "content-type"
EVENT_STREAM = "text/event-stream"
METHOD = ":method"
PATH = ":path"
STATUS = ":status"

LIVENESS = "liveness"
HEALTH_SERVICES = ("", LIVENESS, "readiness", "inference-extension", "envoy.service.ext_proc.v3.ExternalProcessor")
