"""One model of the pool: where its weights are, how its engine runs, on what, and what is known of it.

A generated schema must carry no defaults below `spec.models`: an API server fills them in before anybody merges
`spec.defaults`, which would then never apply.
"""

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from chimera_operator.api.document import (
    S3_URI,
    Count,
    DnsLabel,
    Document,
    Microseconds,
    Milliseconds,
    NonEmpty,
    ServedName,
    broken_rule,
)
from chimera_operator.api.engine_args import OWNED_FLAGS, owned_flag


class SecretRef(Document):
    """A Secret in the pool's namespace."""

    name: NonEmpty
    """Name of the Secret."""


class HuggingFace(Document):
    """Weights on the Hugging Face hub."""

    repo: NonEmpty
    """Repository, such as `Qwen/Qwen2.5-7B-Instruct`."""
    revision: str | None = None
    """Commit, tag or branch; a commit pins the weights. Unset: the newest of the default branch."""
    token_secret_ref: SecretRef | None = None
    """Secret with the access token of a gated repository. `chimera up` leaves it to HF_TOKEN in the environment."""


class PersistentVolumeClaim(Document):
    """Weights on a volume of the pool's namespace."""

    claim_name: NonEmpty
    """Name of the PersistentVolumeClaim."""
    path: str = ""
    """Folder of the weights inside the volume. Empty: its root."""


class S3(Document):
    """Weights in an S3 bucket, streamed by the engine."""

    uri: Annotated[str, Field(pattern=S3_URI)]
    """Folder of the weights, such as `s3://models/llama-3-8b`."""


class Image(Document):
    """Weights in an OCI image, mounted as a volume."""

    reference: NonEmpty
    """Image, best by digest."""
    path: str = ""
    """Folder of the weights inside the image. Empty: its root."""


class Source(Document):
    """Where the weights are: exactly one of the fields."""

    hugging_face: HuggingFace | None = None
    """Weights on the Hugging Face hub."""
    pvc: PersistentVolumeClaim | None = None
    """Weights on a persistent volume."""
    s3: S3 | None = None
    """Weights in an S3 bucket."""
    image: Image | None = None
    """Weights in an OCI image."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for _, source in self) != 1:
            raise broken_rule("must give exactly one of huggingFace, pvc, s3, image")
        return self


class EnvVar(Document):
    """One environment variable."""

    name: NonEmpty
    """Name of the variable."""
    value: str
    """Value of the variable."""


class Engine(Document):
    """How the model's engine runs."""

    max_num_seqs: Count = 256
    """Sequences that may run at once. 256 is vLLM's own figure for cards of 80 GB."""
    kv_tokens: Count | None = None
    """Tokens the KV cache holds. Unset: estimated from the accelerator's memory that the weights leave free."""
    priority_scheduling: bool = False
    """Whether the engine orders its queue by the priority the picker sends. Off unless asked: it changes who waits."""
    args: tuple[str, ...] = ()
    """More arguments for the engine. They win over the typed fields; flags that belong to the operator are refused."""
    env: tuple[EnvVar, ...] = ()
    """More environment variables for the engine."""

    @field_validator("args")
    @classmethod
    def _no_owned_flag(cls, args: tuple[str, ...]) -> tuple[str, ...]:
        for index, flag in enumerate(map(owned_flag, args)):
            if flag:
                raise broken_rule(f"{flag} belongs to the operator; {OWNED_FLAGS[flag]}", at=f"[{index}]")
        return args


class Parallelism(Document):
    """How many accelerators one replica spreads over: the product of the three."""

    tensor: Count = 1
    """Accelerators that share each layer."""
    pipeline: Count = 1
    """Groups of layers, one after another."""
    data: Count = 1
    """Copies of the weights inside one replica."""


class Accelerator(Document):
    """One kind of accelerator that can serve the model."""

    class_: DnsLabel = Field(alias="class")
    """Class of the card, such as `nvidia-h100`."""
    count: Count = 1
    """Cards of one replica: tensor × pipeline × data."""


class Scaling(Document):
    """How many replicas serve the model."""

    replicas: Count = 1
    """Engine replicas, each one endpoint."""


class Descriptor(Document):
    """A model in figures, for predictors that have not seen it yet and for the estimate of its step time."""

    trained_as: str = ""
    """Name of the model in the predictor bundle's training data. Empty: the model's own name."""
    parameters_b: Annotated[float, Field(gt=0, le=100_000)] | None = None
    """Total parameters, in billions."""
    family: str = ""
    """Model family, such as `llama-3`."""
    general_score: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of general questions answered right; the confidence where no predictor answers."""
    weights_gb: Annotated[float, Field(gt=0, le=200_000)] | None = None
    """Gigabytes (10⁹) of the weights as served. Unset: two bytes a parameter (bf16)."""
    layers: Count | None = None
    """Transformer layers. Unset: estimated from the parameters."""
    kv_bytes_per_token: Count | None = None
    """Bytes one token takes in the KV cache. Unset: estimated from the layers."""


class Coefficients(Document):
    """Measured step time: a decode step with b sequences takes base + per sequence × b. Wins over the estimate."""

    base_step_ms: Annotated[Milliseconds, Field(gt=0)]
    """Milliseconds of a decode step before any sequence is counted."""
    step_per_sequence_us: Microseconds
    """Microseconds that each running sequence adds to a step."""
    prefill_us_per_token: Microseconds
    """Microseconds of prefill for a prompt token that is not cached."""


class ModelDefaults(Document):
    """Settings merged under every model. A model's own fields win, one by one inside the objects."""

    engine: Engine = Engine()
    """How the models' engines run."""
    parallelism: Parallelism = Parallelism()
    """How many accelerators a replica spreads over."""
    accelerators: tuple[Accelerator, ...] = ()
    """Kinds of accelerator, the preferred first."""
    scaling: Scaling = Scaling()
    """How many replicas serve each model."""


class ModelSpec(ModelDefaults):
    """One member of the pool; all its replicas serve the same weights."""

    name: DnsLabel
    """Canonical name: what a client writes to pin the model, what metrics and decisions show."""
    aliases: tuple[ServedName, ...] = ()
    """Other names that pin it."""
    source: Source | None = None
    """Where the weights are. A simulated engine needs none."""
    descriptor: Descriptor = Descriptor()
    """What is known of the model before it has answered anything."""
    coefficients: Coefficients | None = None
    """Measured step time. Unset: estimated from the first accelerator and the descriptor."""

    @model_validator(mode="after")
    def _counts_fit(self) -> Self:
        cards = self.parallelism.tensor * self.parallelism.pipeline * self.parallelism.data
        for index, accelerator in enumerate(self.accelerators):
            if accelerator.count != cards:
                rule = f"must be {cards}, the product of parallelism's tensor, pipeline and data"
                raise broken_rule(rule, at=f"accelerators[{index}].count")
        return self
