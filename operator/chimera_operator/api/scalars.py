"""The values that fields hold: numbers with their bounds, and the shapes that names may have."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

MAX_MODELS = 32
"""Models of one pool: bounds what an API server spends on rules over them."""

POOL_NAME = r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$"
DNS_LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
SERVED_NAME = r"^[A-Za-z0-9]([A-Za-z0-9._:/-]{0,251}[A-Za-z0-9])?$"
PROFILE = r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$"
VARIABLE = r"^[-._a-zA-Z][-._a-zA-Z0-9]{0,252}$"
S3_URI = r"^s3://[^/]+/.+$"
ENDPOINT_URL = r"^https?://[^/\s]+/?$"
FILE_URL = r"^https?://[^/\s]+/\S+$"
REDIS_URL = r"^rediss?://([^:@/?#\s]+@)?([^:@/?#\s]+|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?(/[0-9]*)?$"
SHA256 = r"^[0-9a-f]{64}$"
QUANTITY = r"^[0-9]+(\.[0-9]+)?([mkMGTPE]|[KMGTPE]i)?$"
EXTENDED_RESOURCE = r"^[a-z0-9][a-z0-9.-]*/[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"
MIG_PROFILE = r"^[1-9]g\.[0-9]{1,3}gb(\.me)?$"
HOSTNAME = r"^(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
PATH_PREFIX = r"^/[^?#\s]*$"
REASON = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"

PATTERN_RULES = {
    POOL_NAME: "must be a DNS label that begins with a letter: lower-case letters, digits and -, at most 40",
    DNS_LABEL: "must be a DNS label: lower-case letters, digits and -, at most 63",
    SERVED_NAME: "must be a model name: letters, digits and . _ : / -, at most 253",
    PROFILE: "must be an engine profile, such as vllm-0.33",
    VARIABLE: "must be the name of an environment variable",
    S3_URI: "must be s3://BUCKET/KEY",
    ENDPOINT_URL: "must be https://HOST:PORT",
    FILE_URL: "must be https://HOST/PATH",
    REDIS_URL: "must be redis://HOST:PORT/DATABASE, or rediss:// for TLS, without a password",
    SHA256: "must be a sha256 in lower-case hex",
    QUANTITY: "must be a quantity, such as 500m, 2 or 16Gi",
    EXTENDED_RESOURCE: "must be an extended resource, such as nvidia.com/gpu",
    MIG_PROFILE: "must be a MIG profile, such as 1g.10gb",
    HOSTNAME: "must be a host name in small letters, its first label maybe *",
    PATH_PREFIX: "must be a path that begins with /",
    REASON: "must be one word in CamelCase",
}
"""Each pattern in words, for people who do not read patterns."""

PoolName = Annotated[str, Field(pattern=POOL_NAME, max_length=40)]
DnsLabel = Annotated[str, Field(pattern=DNS_LABEL, max_length=63)]
ServedName = Annotated[str, Field(pattern=SERVED_NAME, max_length=253)]
NonEmpty = Annotated[str, Field(min_length=1, max_length=253)]
Text = Annotated[str, Field(max_length=4096)]
Reference = Annotated[str, Field(min_length=1, max_length=512)]  # of an image; registries take 255 for the name alone
FolderPath = Annotated[str, Field(max_length=1024)]

Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Amount = Annotated[int, Field(ge=0, le=2**31 - 1)]
Bytes = Annotated[int, Field(ge=1, le=2**53)]  # above it JSON readers round
Share = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0, le=1_000_000)]
Seconds = Annotated[float, Field(gt=0, le=1_000_000)]
WholeSeconds = Annotated[int, Field(ge=0, le=86_400)]  # a day
Milliseconds = Annotated[float, Field(ge=0, le=60_000)]  # a minute: no step takes longer
Microseconds = Annotated[float, Field(ge=0, le=60_000_000)]

Labels = Annotated[dict[str, Annotated[str, Field(max_length=63)]], Field(max_length=32)]
PullPolicy = Literal["Always", "IfNotPresent", "Never"]


def _written(value: object) -> object:
    """Return a whole number as text: people write `cpu: 4`."""
    return str(value) if type(value) is int else value


Quantity = Annotated[
    str,
    Field(pattern=QUANTITY, max_length=32),
    BeforeValidator(_written),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "pattern": QUANTITY,
            "maxLength": 32,
            "minimum": 0,
        }
    ),
]
"""An amount of a resource as Kubernetes writes it."""
