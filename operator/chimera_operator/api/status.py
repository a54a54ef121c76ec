"""What the operator observed of a pool. Nothing in it is wished, and all but the engine profiles can be found anew."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from chimera_operator.api.conditions import Condition
from chimera_operator.api.document import Observed
from chimera_operator.api.lists import ListMap
from chimera_operator.api.scalars import MAX_MODELS, Amount, Text

Phase = Literal["Pending", "Starting", "Ready", "Updating", "Degraded", "Failed", "Idle"]
Verdict = Literal["Fits", "Tight", "TooLarge", "Unknown"]


class Failure(Observed):
    """Why a replica does not serve."""

    pod: Text
    """Name of its pod. Empty where none could be made."""
    container: Text = ""
    """Name of the container that failed. Empty where it was the pod."""
    reason: Text
    """Why, in one word, such as Unschedulable, ImagePull, OutOfMemory, CudaOutOfMemory, GatedRepository, CrashLoop."""
    exit_code: int | None = None
    """Exit code of the container. Unset: it did not end."""
    message: Text = ""
    """Why, in a sentence that says what to do."""
    at: AwareDatetime
    """When it was first seen."""


class Fit(Observed):
    """Whether weights and KV cache fit into the accelerator's memory, as far as can be told beforehand."""

    verdict: Verdict
    """Fits: with room for a batch. Tight: with little of it. TooLarge: they do not. Unknown: figures are missing."""
    weights_gb: float | None = None
    """Gigabytes (10⁹) of the weights."""
    kv_tokens: int | None = None
    """Tokens that the KV cache will hold."""
    message: Text = ""
    """The reckoning in a sentence."""


class AcceleratorStatus(Observed):
    """The replicas of a model on one of its alternatives."""

    name: Text
    """The alternative: its name, or class where it has none."""
    replicas: Amount = 0
    """Replicas that there are."""
    ready_replicas: Amount = 0
    """Replicas that serve."""


class ModelStatus(Observed):
    """What was observed of one model."""

    name: Text
    """Name of the model."""
    phase: Phase
    """Pending: no replica has a place yet. Starting: replicas load. Ready: all serve. Updating: it serves while
    replicas are replaced. Degraded: it serves with fewer replicas than wished. Failed: nothing serves, lastFailure says
    why. Idle: scaled to zero, the next request wakes it."""
    revision: Text = ""
    """Newest revision of its pods."""
    engine_profile: Text = ""
    """Engine profile in force. Where the spec names none it stays what it was when the model was first deployed."""
    accelerators: Annotated[tuple[AcceleratorStatus, ...], Field(max_length=16), ListMap()] = ()
    """The alternatives in use, the preferred first. Empty: none, or CPUs."""
    replicas: Amount = 0
    """Replicas that there are, of any revision."""
    ready_replicas: Amount = 0
    """Replicas that serve, of any revision."""
    updated_ready_replicas: Amount = 0
    """Replicas that serve, of the newest revision."""
    startup_seconds: float | None = None
    """Median seconds that replicas of late took until they served."""
    last_failure: Failure | None = None
    """Why a replica does not serve; gone when all do."""
    fit: Fit | None = None
    """Whether it fits into the accelerator's memory."""


class PickerStatus(Observed):
    """The pickers, as they were found."""

    replicas: Amount = 0
    """Pickers that there are."""
    ready_replicas: Amount = 0
    """Pickers that decide."""


class PoolStatus(Observed):
    """What was observed of the pool."""

    observed_generation: int | None = None
    """Generation of the spec that this status is about."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16), ListMap("type")] = ()
    """Accepted, Programmed, Progressing, Ready, Degraded, CapacityLimited."""
    url: Text = ""
    """Where clients send requests. Empty: there is no route, or its address is not known yet."""
    ready_models: Text = ""
    """Models that serve of those of the pool, such as `2/3`."""
    ready_replicas: Text = ""
    """Replicas that serve of those that are wished, over all models, such as `3/4`."""
    picker: PickerStatus = PickerStatus()
    """What was observed of the pickers."""
    models: Annotated[tuple[ModelStatus, ...], Field(max_length=MAX_MODELS), ListMap()] = ()
    """What was observed of each model."""
