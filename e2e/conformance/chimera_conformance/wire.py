"""Every name on the wire, once."""

# Envoy's external processing service.
SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"
PROCESS = f"/{SERVICE}/Process"

# The endpoint picker protocol 1.0.0 (GIE proposal 004).
DESTINATION = "x-gateway-destination-endpoint"
DESTINATION_NAMESPACE = "envoy.lb"
SUBSET = "x-gateway-destination-endpoint-subset"
SUBSET_NAMESPACE = "envoy.lb.subset_hint"
SERVED = "x-gateway-destination-endpoint-served"

# What GIE's conformance suite of gateways asks of the picker that it runs with.
TEST_SELECTION = "test-epp-endpoint-selection"
TEST_SERVED = "x-conformance-test-served-endpoint"

# The kit's own: which call of the kit a request through the gateway is.
CALL = "x-conformance-call"

# gRPC health, and the names that gateways and charts ask it by.
HEALTH_CHECK = "/grpc.health.v1.Health/Check"
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"
LIVENESS = "liveness"
READINESS = "readiness"
CHART_PROBE = "inference-extension"

CONTENT_LENGTH = "content-length"
CONTENT_TYPE = "content-type"
METHOD = ":method"
PATH = ":path"
STATUS = ":status"
CHAT = "/v1/chat/completions"
COMPLETIONS = "/v1/completions"
MODELS = "/v1/models"
JSON = "application/json"
EVENT_STREAM = "text/event-stream"
