from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Order(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_UNSPECIFIED: _ClassVar[Order]
    ORDER_REMAINING_FIRST: _ClassVar[Order]
    ORDER_STAGE_FIRST: _ClassVar[Order]
    ORDER_ATTAINED: _ClassVar[Order]
    ORDER_ARRIVAL: _ClassVar[Order]
ORDER_UNSPECIFIED: Order
ORDER_REMAINING_FIRST: Order
ORDER_STAGE_FIRST: Order
ORDER_ATTAINED: Order
ORDER_ARRIVAL: Order

class RouterConfig(_message.Message):
    __slots__ = ("pool", "models", "virtual_models", "routing", "bundle", "limits", "discovery", "accounting", "path_prefix")
    POOL_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    VIRTUAL_MODELS_FIELD_NUMBER: _ClassVar[int]
    ROUTING_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    DISCOVERY_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTING_FIELD_NUMBER: _ClassVar[int]
    PATH_PREFIX_FIELD_NUMBER: _ClassVar[int]
    pool: str
    models: _containers.RepeatedCompositeFieldContainer[Model]
    virtual_models: _containers.RepeatedScalarFieldContainer[str]
    routing: Routing
    bundle: Bundle
    limits: Limits
    discovery: Discovery
    accounting: Accounting
    path_prefix: str
    def __init__(self, pool: _Optional[str] = ..., models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., virtual_models: _Optional[_Iterable[str]] = ..., routing: _Optional[_Union[Routing, _Mapping]] = ..., bundle: _Optional[_Union[Bundle, _Mapping]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., discovery: _Optional[_Union[Discovery, _Mapping]] = ..., accounting: _Optional[_Union[Accounting, _Mapping]] = ..., path_prefix: _Optional[str] = ...) -> None: ...

class Accounting(_message.Message):
    __slots__ = ("mode",)
    class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        MODE_UNSPECIFIED: _ClassVar[Accounting.Mode]
        OBSERVE: _ClassVar[Accounting.Mode]
        HEADERS: _ClassVar[Accounting.Mode]
        SKIP: _ClassVar[Accounting.Mode]
        AUTO: _ClassVar[Accounting.Mode]
    MODE_UNSPECIFIED: Accounting.Mode
    OBSERVE: Accounting.Mode
    HEADERS: Accounting.Mode
    SKIP: Accounting.Mode
    AUTO: Accounting.Mode
    MODE_FIELD_NUMBER: _ClassVar[int]
    mode: Accounting.Mode
    def __init__(self, mode: _Optional[_Union[Accounting.Mode, str]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "aliases", "served_name", "descriptor", "coefficients", "priority", "engine", "metrics", "wake_seconds", "adapters")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    SERVED_NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTOR_FIELD_NUMBER: _ClassVar[int]
    COEFFICIENTS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    WAKE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    ADAPTERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    aliases: _containers.RepeatedScalarFieldContainer[str]
    served_name: str
    descriptor: Descriptor
    coefficients: Coefficients
    priority: bool
    engine: str
    metrics: MetricNames
    wake_seconds: float
    adapters: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., aliases: _Optional[_Iterable[str]] = ..., served_name: _Optional[str] = ..., descriptor: _Optional[_Union[Descriptor, _Mapping]] = ..., coefficients: _Optional[_Union[Coefficients, _Mapping]] = ..., priority: _Optional[bool] = ..., engine: _Optional[str] = ..., metrics: _Optional[_Union[MetricNames, _Mapping]] = ..., wake_seconds: _Optional[float] = ..., adapters: _Optional[_Iterable[str]] = ...) -> None: ...

class MetricNames(_message.Message):
    __slots__ = ("running", "waiting", "kv_usage")
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    KV_USAGE_FIELD_NUMBER: _ClassVar[int]
    running: str
    waiting: str
    kv_usage: str
    def __init__(self, running: _Optional[str] = ..., waiting: _Optional[str] = ..., kv_usage: _Optional[str] = ...) -> None: ...

class Descriptor(_message.Message):
    __slots__ = ("trained_as", "parameters_b", "family", "general_score")
    TRAINED_AS_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_B_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    GENERAL_SCORE_FIELD_NUMBER: _ClassVar[int]
    trained_as: str
    parameters_b: float
    family: str
    general_score: float
    def __init__(self, trained_as: _Optional[str] = ..., parameters_b: _Optional[float] = ..., family: _Optional[str] = ..., general_score: _Optional[float] = ...) -> None: ...

class Coefficients(_message.Message):
    __slots__ = ("base_step_ms", "step_per_sequence_us", "prefill_us_per_token", "max_num_seqs", "kv_tokens")
    BASE_STEP_MS_FIELD_NUMBER: _ClassVar[int]
    STEP_PER_SEQUENCE_US_FIELD_NUMBER: _ClassVar[int]
    PREFILL_US_PER_TOKEN_FIELD_NUMBER: _ClassVar[int]
    MAX_NUM_SEQS_FIELD_NUMBER: _ClassVar[int]
    KV_TOKENS_FIELD_NUMBER: _ClassVar[int]
    base_step_ms: float
    step_per_sequence_us: float
    prefill_us_per_token: float
    max_num_seqs: int
    kv_tokens: int
    def __init__(self, base_step_ms: _Optional[float] = ..., step_per_sequence_us: _Optional[float] = ..., prefill_us_per_token: _Optional[float] = ..., max_num_seqs: _Optional[int] = ..., kv_tokens: _Optional[int] = ...) -> None: ...

class Routing(_message.Message):
    __slots__ = ("slack", "round_robin", "least_loaded", "static", "marginal", "utility", "latency_objective", "confidence_objective", "random", "threshold", "fastest", "aging_rate", "order", "restage", "flow_control", "fallback_endpoints")
    SLACK_FIELD_NUMBER: _ClassVar[int]
    ROUND_ROBIN_FIELD_NUMBER: _ClassVar[int]
    LEAST_LOADED_FIELD_NUMBER: _ClassVar[int]
    STATIC_FIELD_NUMBER: _ClassVar[int]
    MARGINAL_FIELD_NUMBER: _ClassVar[int]
    UTILITY_FIELD_NUMBER: _ClassVar[int]
    LATENCY_OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_OBJECTIVE_FIELD_NUMBER: _ClassVar[int]
    RANDOM_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    FASTEST_FIELD_NUMBER: _ClassVar[int]
    AGING_RATE_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    RESTAGE_FIELD_NUMBER: _ClassVar[int]
    FLOW_CONTROL_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    slack: Slack
    round_robin: RoundRobin
    least_loaded: LeastLoaded
    static: Static
    marginal: Marginal
    utility: Utility
    latency_objective: LatencyObjective
    confidence_objective: ConfidenceObjective
    random: Random
    threshold: Threshold
    fastest: Fastest
    aging_rate: float
    order: Order
    restage: Restage
    flow_control: FlowControl
    fallback_endpoints: int
    def __init__(self, slack: _Optional[_Union[Slack, _Mapping]] = ..., round_robin: _Optional[_Union[RoundRobin, _Mapping]] = ..., least_loaded: _Optional[_Union[LeastLoaded, _Mapping]] = ..., static: _Optional[_Union[Static, _Mapping]] = ..., marginal: _Optional[_Union[Marginal, _Mapping]] = ..., utility: _Optional[_Union[Utility, _Mapping]] = ..., latency_objective: _Optional[_Union[LatencyObjective, _Mapping]] = ..., confidence_objective: _Optional[_Union[ConfidenceObjective, _Mapping]] = ..., random: _Optional[_Union[Random, _Mapping]] = ..., threshold: _Optional[_Union[Threshold, _Mapping]] = ..., fastest: _Optional[_Union[Fastest, _Mapping]] = ..., aging_rate: _Optional[float] = ..., order: _Optional[_Union[Order, str]] = ..., restage: _Optional[_Union[Restage, _Mapping]] = ..., flow_control: _Optional[_Union[FlowControl, _Mapping]] = ..., fallback_endpoints: _Optional[int] = ...) -> None: ...

class FlowControl(_message.Message):
    __slots__ = ("enabled", "max_requests", "max_bytes", "per_tenant_max_requests", "per_tenant_max_bytes", "ttl", "objectives")
    class ObjectivesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    MAX_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    PER_TENANT_MAX_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    PER_TENANT_MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    OBJECTIVES_FIELD_NUMBER: _ClassVar[int]
    enabled: bool
    max_requests: int
    max_bytes: int
    per_tenant_max_requests: int
    per_tenant_max_bytes: int
    ttl: float
    objectives: _containers.ScalarMap[str, int]
    def __init__(self, enabled: _Optional[bool] = ..., max_requests: _Optional[int] = ..., max_bytes: _Optional[int] = ..., per_tenant_max_requests: _Optional[int] = ..., per_tenant_max_bytes: _Optional[int] = ..., ttl: _Optional[float] = ..., objectives: _Optional[_Mapping[str, int]] = ...) -> None: ...

class Restage(_message.Message):
    __slots__ = ("margin",)
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    margin: float
    def __init__(self, margin: _Optional[float] = ...) -> None: ...

class Slack(_message.Message):
    __slots__ = ("slack", "min_gain")
    SLACK_FIELD_NUMBER: _ClassVar[int]
    MIN_GAIN_FIELD_NUMBER: _ClassVar[int]
    slack: float
    min_gain: float
    def __init__(self, slack: _Optional[float] = ..., min_gain: _Optional[float] = ...) -> None: ...

class Marginal(_message.Message):
    __slots__ = ("price", "latency_target_seconds", "score_target")
    PRICE_FIELD_NUMBER: _ClassVar[int]
    LATENCY_TARGET_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SCORE_TARGET_FIELD_NUMBER: _ClassVar[int]
    price: float
    latency_target_seconds: float
    score_target: float
    def __init__(self, price: _Optional[float] = ..., latency_target_seconds: _Optional[float] = ..., score_target: _Optional[float] = ...) -> None: ...

class Utility(_message.Message):
    __slots__ = ("latency_price", "cost_price")
    LATENCY_PRICE_FIELD_NUMBER: _ClassVar[int]
    COST_PRICE_FIELD_NUMBER: _ClassVar[int]
    latency_price: float
    cost_price: float
    def __init__(self, latency_price: _Optional[float] = ..., cost_price: _Optional[float] = ...) -> None: ...

class LatencyObjective(_message.Message):
    __slots__ = ("seconds",)
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    seconds: float
    def __init__(self, seconds: _Optional[float] = ...) -> None: ...

class ConfidenceObjective(_message.Message):
    __slots__ = ("confidence",)
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    confidence: float
    def __init__(self, confidence: _Optional[float] = ...) -> None: ...

class Random(_message.Message):
    __slots__ = ("weights",)
    class WeightsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    weights: _containers.ScalarMap[str, float]
    def __init__(self, weights: _Optional[_Mapping[str, float]] = ...) -> None: ...

class Threshold(_message.Message):
    __slots__ = ("small", "large", "gain")
    SMALL_FIELD_NUMBER: _ClassVar[int]
    LARGE_FIELD_NUMBER: _ClassVar[int]
    GAIN_FIELD_NUMBER: _ClassVar[int]
    small: str
    large: str
    gain: float
    def __init__(self, small: _Optional[str] = ..., large: _Optional[str] = ..., gain: _Optional[float] = ...) -> None: ...

class Fastest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RoundRobin(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class LeastLoaded(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Static(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: str
    def __init__(self, model: _Optional[str] = ...) -> None: ...

class Bundle(_message.Message):
    __slots__ = ("path", "sha256")
    PATH_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    path: str
    sha256: str
    def __init__(self, path: _Optional[str] = ..., sha256: _Optional[str] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_body_bytes", "max_json_depth", "max_choices", "max_output_tokens", "max_header_bytes", "max_reading", "max_reading_bytes", "first_byte_seconds", "body_seconds")
    MAX_BODY_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_JSON_DEPTH_FIELD_NUMBER: _ClassVar[int]
    MAX_CHOICES_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_HEADER_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_READING_FIELD_NUMBER: _ClassVar[int]
    MAX_READING_BYTES_FIELD_NUMBER: _ClassVar[int]
    FIRST_BYTE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    BODY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    max_body_bytes: int
    max_json_depth: int
    max_choices: int
    max_output_tokens: int
    max_header_bytes: int
    max_reading: int
    max_reading_bytes: int
    first_byte_seconds: float
    body_seconds: float
    def __init__(self, max_body_bytes: _Optional[int] = ..., max_json_depth: _Optional[int] = ..., max_choices: _Optional[int] = ..., max_output_tokens: _Optional[int] = ..., max_header_bytes: _Optional[int] = ..., max_reading: _Optional[int] = ..., max_reading_bytes: _Optional[int] = ..., first_byte_seconds: _Optional[float] = ..., body_seconds: _Optional[float] = ...) -> None: ...

class Discovery(_message.Message):
    __slots__ = ("file", "kubernetes")
    FILE_FIELD_NUMBER: _ClassVar[int]
    KUBERNETES_FIELD_NUMBER: _ClassVar[int]
    file: FileDiscovery
    kubernetes: KubernetesDiscovery
    def __init__(self, file: _Optional[_Union[FileDiscovery, _Mapping]] = ..., kubernetes: _Optional[_Union[KubernetesDiscovery, _Mapping]] = ...) -> None: ...

class FileDiscovery(_message.Message):
    __slots__ = ("path",)
    PATH_FIELD_NUMBER: _ClassVar[int]
    path: str
    def __init__(self, path: _Optional[str] = ...) -> None: ...

class KubernetesDiscovery(_message.Message):
    __slots__ = ("namespace", "inference_pool", "max_age_seconds")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    INFERENCE_POOL_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    inference_pool: str
    max_age_seconds: float
    def __init__(self, namespace: _Optional[str] = ..., inference_pool: _Optional[str] = ..., max_age_seconds: _Optional[float] = ...) -> None: ...
