"""How the engine of a model runs."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from chimera_operator.api.core import EnvVar
from chimera_operator.api.document import Breach, Document, rule
from chimera_operator.api.engine_args import NO_OWNED_FLAG, OWNED_FLAGS, owned_flag
from chimera_operator.api.lists import ListMap
from chimera_operator.api.scalars import PROFILE, Count, NonEmpty, PullPolicy, Reference

Argument = Annotated[str, Field(max_length=1024)]  # holds the JSON that some of vLLM's flags take


class Engine(Document):
    """How the model's engine runs. User's arguments win over the typed fields, these over the engine profile."""

    type: Literal["VLLM", "Simulator"] = "VLLM"
    """What serves the model in a cluster: vLLM, or a simulator that needs no weights and whose answers say that they
    are simulated. On one machine `chimera up --engine` says it."""
    profile: Annotated[str, Field(pattern=PROFILE, max_length=63)] | None = None
    """Engine profile, such as `vllm-0.33`: image, flags, probes and metric names of one version. Unset: the operator's
    newest at the time the model is first deployed. It stays until it is given here, so that a newer operator restarts
    nothing; status tells it."""
    image: Reference | None = None
    """Image of the engine, best by digest. Unset: the profile's."""
    image_pull_policy: PullPolicy | None = None
    """When nodes pull it. Unset: as Kubernetes does, Always for the tag `latest` and IfNotPresent for others."""
    startup_seconds: Annotated[int, Field(ge=10, le=86_400)] = 1800
    """Seconds that a replica may take until it serves. Half an hour: large weights from a cold disk, then
    compilation."""
    max_model_len: Count | None = None
    """Tokens of prompt and answer together. Unset: the model's own."""
    max_num_seqs: Count = 256
    """Sequences that may run at once. 256 is vLLM's own figure for cards of 80 GB."""
    kv_tokens: Count | None = None
    """Tokens the KV cache holds. Unset: estimated from the accelerator's memory that the weights leave free."""
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of the accelerator's memory that the engine takes. Unset: vLLM's own, .92."""
    kv_cache_dtype: NonEmpty | None = None
    """Type of the numbers in the KV cache, such as `fp8`. Unset: the model's own."""
    priority_scheduling: bool = False
    """Whether the engine orders its queue by the priority the picker sends. Off unless asked: it changes who waits."""
    prefix_caching: bool = True
    """Whether prompts that begin alike share what was computed for them. On, as in vLLM: the turns of a workflow do."""
    args: Annotated[tuple[Argument, ...], Field(max_length=64)] = ()
    """More arguments for the engine. They win over the typed fields; flags that belong to the operator are refused."""
    env: Annotated[tuple[EnvVar, ...], Field(max_length=64), ListMap()] = ()
    """More environment variables for the engine. They win over the profile's."""

    @rule("must not hold a flag that belongs to the operator", cel=NO_OWNED_FLAG, at="args")
    def _no_owned_flag(self) -> Iterator[Breach]:
        for index, flag in enumerate(map(owned_flag, self.args)):
            if flag:
                yield Breach(f"args[{index}]", f"{flag} belongs to the operator; {OWNED_FLAGS[flag]}")
