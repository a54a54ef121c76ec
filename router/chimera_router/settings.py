"""Read a RouterConfig into the values the router runs by."""

from dataclasses import dataclass
from pathlib import Path

from google.protobuf import json_format

from chimera_proto.config.v1alpha1 import router_config_pb2 as proto
from chimera_router import scheduler_settings
from chimera_router.errors import ConfigError
from chimera_router.parsing.limits import Limits
from chimera_router.protocol.catalog import Catalog
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.types import Coefficients, Descriptor, Model

_MILLI, _MICRO = 1e-3, 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleSource:
    """Where the predictors are: a folder, None for the one in the package; and the digest expected, empty for any."""

    path: Path | None
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """One pool, as configured. Swapped whole or not at all."""

    models: dict[str, Model]
    catalog: Catalog
    scheduler: Scheduler
    limits: Limits
    bundle: BundleSource
    endpoints_file: Path


def load(path: Path) -> PoolSettings:
    """Return the settings in a RouterConfig file.

    Raises:
        ConfigError: The file cannot be read or breaks a rule; the text names it and the rule.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({type(error).__name__})") from error
    try:
        return parse(text, base=path.parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse(text: str, *, base: Path) -> PoolSettings:
    """Return the settings in a RouterConfig's JSON text; relative paths in it start at `base`.

    Raises:
        ConfigError: It breaks a rule.
    """
    try:
        config = json_format.Parse(text, proto.RouterConfig())
    except json_format.ParseError as error:
        raise ConfigError(str(error)) from error
    _check(config)
    models = {message.name: _model(message) for message in config.models}
    return PoolSettings(
        models=models,
        catalog=Catalog.of(config.pool, models.values(), config.virtual_models),
        scheduler=scheduler_settings.scheduler(config.routing, models),
        limits=_limits(config.limits),
        bundle=BundleSource(
            path=base / config.bundle.path if config.bundle.path else None, sha256=config.bundle.sha256
        ),
        endpoints_file=base / config.discovery.file.path,
    )


def _check(config: proto.RouterConfig) -> None:
    rules = {
        "pool: must have a name": bool(config.pool),
        "models: at least one is needed": bool(config.models),
        "models: every one must have a name": all(model.name for model in config.models),
        "models: names must be unique": len({model.name for model in config.models}) == len(config.models),
        "discovery.file.path: must be set": bool(config.discovery.file.path),
        "models: coefficients must be above zero": all(_positive(model.coefficients) for model in config.models),
    }
    for rule, kept in rules.items():
        if not kept:
            raise ConfigError(rule)


def _positive(message: proto.Coefficients) -> bool:
    times = min(message.step_per_sequence_us, message.prefill_us_per_token)
    return message.base_step_ms > 0 and times >= 0 and min(message.max_num_seqs, message.kv_tokens) > 0


def _model(message: proto.Model) -> Model:
    descriptor = message.descriptor
    return Model(
        name=message.name,
        aliases=tuple(message.aliases),
        served_name=message.served_name or message.name,
        descriptor=Descriptor(
            trained_as=descriptor.trained_as,
            parameters_b=descriptor.parameters_b,
            family=descriptor.family,
            general_score=descriptor.general_score,
        ),
        coefficients=_coefficients(message.coefficients),
        priority=message.priority,
    )


def _coefficients(message: proto.Coefficients) -> Coefficients:
    return Coefficients(
        base_step=message.base_step_ms * _MILLI,
        per_sequence=message.step_per_sequence_us * _MICRO,
        prefill_per_token=message.prefill_us_per_token * _MICRO,
        max_num_seqs=message.max_num_seqs,
        kv_tokens=message.kv_tokens,
    )


def _limits(message: proto.Limits) -> Limits:
    given = {field.name: value for field, value in message.ListFields() if value > 0}
    return Limits(**given)
