"""Read a RouterConfig into the values the router runs by."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf import json_format

from chimera_proto.config.v1alpha1 import router_config_pb2 as proto
from chimera_router import discovery_settings, scheduler_settings
from chimera_router.discovery_settings import Discovery
from chimera_router.engines import profiles
from chimera_router.engines.profiles import EngineProfile
from chimera_router.errors import ConfigError
from chimera_router.flowcontrol import types as flow
from chimera_router.flowcontrol.types import HoldLimits
from chimera_router.parsing.limits import Limits
from chimera_router.protocol.catalog import Catalog
from chimera_router.protocol.events import Accounting
from chimera_router.scheduling.scheduler import Scheduler
from chimera_router.scheduling.targets import Target
from chimera_router.scheduling.types import Coefficients, Descriptor, Model

_MILLI, _MICRO = 1e-3, 1e-6

MAX_WAKE = 900.0  # seconds; the longest message timeouts of gateways are some 1,000

_ACCOUNTING = {
    proto.Accounting.MODE_UNSPECIFIED: Accounting.OBSERVE,
    proto.Accounting.OBSERVE: Accounting.OBSERVE,
    proto.Accounting.HEADERS: Accounting.HEADERS,
    proto.Accounting.SKIP: Accounting.SKIP,
    proto.Accounting.AUTO: None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleSource:
    """Where the predictors are: a folder, None for the one in the package; and the digest expected, empty for any."""

    path: Path | None
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """One pool, as configured. Swapped whole or not at all.

    Attributes:
        discovery: Where its endpoints come from.
        engines: How each model's engine names its metrics, by model; where one is missing, as vLLM does.
        target: What the scheduler's price is steered to hold; None leaves it alone.
        accounting: How much of answers is looked at; None leaves it to how busy the picker is.
        prefix: Beginning of the paths that belong to the pool.
        flow_control: Caps on the requests that wait in the picker; None where none wait here, but in the engines.
    """

    models: dict[str, Model]
    catalog: Catalog
    scheduler: Scheduler
    limits: Limits
    bundle: BundleSource
    discovery: Discovery
    engines: Mapping[str, EngineProfile] = field(default_factory=dict)
    target: Target | None = None
    flow_control: HoldLimits | None = None
    accounting: Accounting | None = Accounting.OBSERVE
    prefix: str = ""

    def engine(self, model: str) -> EngineProfile:
        """Return how a model's engine names its metrics."""
        return self.engines.get(model, profiles.VLLM)


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
        raise ConfigError(_rule(str(error))) from None  # whose text may quote a value
    _check(config)
    models = {message.name: _model(message) for message in config.models}
    return PoolSettings(
        models=models,
        catalog=Catalog.of(config.pool, models.values(), config.virtual_models),
        scheduler=scheduler_settings.scheduler(config.routing, models),
        target=scheduler_settings.target(config.routing),
        limits=_limits(config.limits),
        bundle=BundleSource(
            path=base / config.bundle.path if config.bundle.path else None, sha256=config.bundle.sha256
        ),
        discovery=discovery_settings.discovery(config.discovery, base=base),
        engines={each.name: _engine(each, at=f"models[{index}]") for index, each in enumerate(config.models)},
        flow_control=_flow_control(config.routing.flow_control),
        accounting=_ACCOUNTING[config.accounting.mode],
        prefix=config.path_prefix,
    )


def _rule(text: str) -> str:
    """Return where protobuf says that a configuration cannot be read, and why, without the value that it quotes."""
    *fields, why = re.split(r"Failed to parse (\w+) field: ", text)
    if not fields or "no field named" in why:
        return why
    return f"{'.'.join(filter(None, fields))}: not a value that the field takes"


def _check(config: proto.RouterConfig) -> None:
    rules = {
        "pool: must have a name": bool(config.pool),
        "models: at least one is needed": bool(config.models),
        "models: every one must have a name": all(model.name for model in config.models),
        "models: names must be unique": len({model.name for model in config.models}) == len(config.models),
        "accounting.mode: must be one of the modes": config.accounting.mode in _ACCOUNTING,
        "models: coefficients must be above zero": all(_positive(model.coefficients) for model in config.models),
        f"models: wakeSeconds must be 0 to {MAX_WAKE:.0f}": all(
            0 <= model.wake_seconds <= MAX_WAKE for model in config.models
        ),
        "pathPrefix: must begin with / and not end with it": not config.path_prefix
        or (config.path_prefix.startswith("/") and not config.path_prefix.endswith("/")),
        "models: wakeSeconds needs routing.flowControl": config.routing.flow_control.enabled
        or not any(model.wake_seconds for model in config.models),
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
        adapters=tuple(message.adapters),
        served_name=message.served_name or message.name,
        descriptor=Descriptor(
            trained_as=descriptor.trained_as,
            parameters_b=descriptor.parameters_b,
            family=descriptor.family,
            general_score=descriptor.general_score,
        ),
        coefficients=_coefficients(message.coefficients),
        priority=message.priority,
        wake=message.wake_seconds,
    )


def _engine(message: proto.Model, *, at: str) -> EngineProfile:
    profile = profiles.PROFILES.get(message.engine or "vllm")
    if profile is None:
        raise ConfigError(f"{at}.engine: must be one of {', '.join(sorted(profiles.PROFILES))}")
    if not message.HasField("metrics"):
        return profile
    names = message.metrics
    if not all(map(profiles.is_metric_name, (names.running, names.waiting, names.kv_usage))):
        raise ConfigError(f"{at}.metrics: running, waiting and kvUsage must each be the name of a Prometheus metric")
    return profile.renamed(running=names.running, waiting=names.waiting, kv_usage=names.kv_usage)


def _coefficients(message: proto.Coefficients) -> Coefficients:
    return Coefficients(
        base_step=message.base_step_ms * _MILLI,
        per_sequence=message.step_per_sequence_us * _MICRO,
        prefill_per_token=message.prefill_us_per_token * _MICRO,
        max_num_seqs=message.max_num_seqs,
        kv_tokens=message.kv_tokens,
    )


def _flow_control(message: proto.FlowControl) -> HoldLimits | None:
    requests = message.max_requests or flow.DEFAULT_MAX_REQUESTS
    size = message.max_bytes or flow.DEFAULT_MAX_BYTES
    limits = HoldLimits(
        max_requests=requests,
        max_bytes=size,
        per_tenant_max_requests=message.per_tenant_max_requests or requests,
        per_tenant_max_bytes=message.per_tenant_max_bytes or size,
        ttl=message.ttl or flow.DEFAULT_TTL,
        objectives=dict(message.objectives),
    )
    caps = (limits.max_requests, limits.max_bytes, limits.per_tenant_max_requests, limits.per_tenant_max_bytes)
    if min(*caps, limits.ttl) < 0:
        raise ConfigError("routing.flowControl: caps and ttl must not be negative")
    if not limits.ttl <= flow.MAX_TTL:
        raise ConfigError(f"routing.flowControl.ttl: must be at most {flow.MAX_TTL:.0f} s, gateways wait no longer")
    return limits if message.enabled else None


def _limits(message: proto.Limits) -> Limits:
    given = {field.name: value for field, value in message.ListFields() if value > 0}
    return Limits(**given)
