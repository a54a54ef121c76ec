"""vLLM 0.33."""

from chimera_operator.rendering.profiles.types import Account, EngineProfile, Feature

PROFILE = EngineProfile(
    name="vllm-0.33",
    image="docker.io/vllm/vllm-openai:v0.33.0",
    cpu_image="docker.io/vllm/vllm-openai-cpu:v0.33.0",
    command=("vllm", "serve"),
    flags={
        # Probes and scrapes would be nearly all of the log.
        "--disable-access-log-for-endpoints": "/health,/metrics",
    },
    env={
        "VLLM_NO_USAGE_STATS": "1",
        # Seconds; above the gateway's idle time, else the engine closes a connection just as it is used again.
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "300",
    },
    health="/health",
    metrics="vllm",
    shutdown_flag="--shutdown-timeout",
    # The images begin as root and are prepared for this user: docs/deployment/docker.md of vLLM.
    account=Account(user=2000, group=0),
    features=frozenset((Feature.LORAS, Feature.DRAIN)),
)
