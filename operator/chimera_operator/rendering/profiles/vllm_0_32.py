"""vLLM 0.32."""

from dataclasses import replace

from chimera_operator.rendering.profiles import vllm_0_33

PROFILE = replace(
    vllm_0_33.PROFILE,
    name="vllm-0.32",
    image="docker.io/vllm/vllm-openai:v0.32.0",
    cpu_image="docker.io/vllm/vllm-openai-cpu:v0.32.0",
)
