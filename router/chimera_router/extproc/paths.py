"""The gRPC services of the picker's port, by their names on the wire."""

PROCESSOR = "envoy.service.ext_proc.v3.ExternalProcessor"
HEALTH = "grpc.health.v1.Health"
ACCESS_LOG = "envoy.service.accesslog.v3.AccessLogService"

PROCESS = f"/{PROCESSOR}/Process"
CHECK = f"/{HEALTH}/Check"
WATCH = f"/{HEALTH}/Watch"
LOG = f"/{ACCESS_LOG}/StreamAccessLogs"
