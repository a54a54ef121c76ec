"""Pools that a bench replays, read from a JSON file: models, the step time of their engines, and their tasks.

`serving_pools.json` beside this module shows the form and carries the pools whose recorded data ships with the project.
Their engines are a shared yardstick, estimated with the step-time form of BLIS inference-sim for cards of 80 GB and
3.35 TB/s; they are no measurements.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from chimera_router.scheduling.types import Coefficients
from chimera_training.data import DataError

_Name = Annotated[str, msgspec.Meta(min_length=1)]
_Names = Annotated[tuple[_Name, ...], msgspec.Meta(min_length=1)]
_Positive = Annotated[float, msgspec.Meta(gt=0)]
_Time = Annotated[float, msgspec.Meta(ge=0)]
_Count = Annotated[int, msgspec.Meta(ge=1)]

# Which file of recorded data the tasks of a pool are in.
RecordedIn = Literal["prompt_outcomes", "workflow_traces"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingPool:
    """Models on engines, and the tasks they are asked.

    Attributes:
        models: As the recorded data names them, from small to large.
        coefficients: Of each model's engines.
        params_b: Billions of parameters of each model.
        task_sets: Where the tasks come from.
        file: Which file of recorded data holds them.
        endpoints: Engines of each model, all alike.
        prefix_caching: Whether engines keep a workflow's tokens for its next stage, as vLLM does unless told otherwise.
    """

    name: str
    models: tuple[str, ...]
    coefficients: Mapping[str, Coefficients]
    params_b: Mapping[str, float]
    task_sets: tuple[str, ...]
    file: RecordedIn
    endpoints: int = 1
    prefix_caching: bool = True

    def with_slots(self, slots: int) -> "ServingPool":
        """Return the pool with engines that run at most `slots` sequences at once."""
        limited = {name: replace(engine, max_num_seqs=slots) for name, engine in self.coefficients.items()}
        return replace(self, coefficients=limited)


class _Engine(msgspec.Struct, frozen=True):
    model: _Name
    params_b: _Positive
    b0_ms: _Positive
    b2_us: _Time
    prefill_us_per_token: _Time
    kv_tokens: _Count
    max_num_seqs: _Count

    def coefficients(self) -> Coefficients:
        return Coefficients(
            base_step=self.b0_ms / 1e3,
            per_sequence=self.b2_us / 1e6,
            prefill_per_token=self.prefill_us_per_token / 1e6,
            max_num_seqs=self.max_num_seqs,
            kv_tokens=self.kv_tokens,
        )


class _Pool(msgspec.Struct, frozen=True):
    name: _Name
    file: RecordedIn
    task_sets: _Names
    models: _Names
    serving: tuple[_Engine, ...] = ()

    def serving_pool(self) -> ServingPool:
        return ServingPool(
            name=self.name,
            models=self.models,
            coefficients={engine.model: engine.coefficients() for engine in self.serving},
            params_b={engine.model: engine.params_b for engine in self.serving},
            task_sets=self.task_sets,
            file=self.file,
        )


def shipped_pools() -> Path:
    """Return the file of the pools whose data ships with the project."""
    return Path(__file__).parent / "serving_pools.json"


def read_pools(path: Path) -> list[ServingPool]:
    """Read the pools of a file that say what their engines are; others are passed over, and keys not named here too.

    Raises:
        DataError: The file is missing or of another shape, a name occurs twice, or a pool's engines are not its models.
    """
    try:
        pools = msgspec.json.decode(path.read_bytes(), type=tuple[_Pool, ...])
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}") from None
    serving = [pool for pool in pools if pool.serving]
    if len({pool.name for pool in serving}) < len(serving):
        raise DataError(f"{path}: no name may occur twice")
    for pool in serving:
        if tuple(engine.model for engine in pool.serving) != pool.models or len(set(pool.models)) < len(pool.models):
            raise DataError(f"{path}: pool {pool.name}: `serving` must list each of `models` once, in their order")
    return [pool.serving_pool() for pool in serving]
