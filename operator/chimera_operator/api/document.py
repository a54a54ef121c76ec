"""What every part of the resource shares: strict, frozen, camelCase, and the shapes that names may have."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

DNS_LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
SERVED_NAME = r"^[A-Za-z0-9]([A-Za-z0-9._:/-]{0,251}[A-Za-z0-9])?$"
S3_URI = r"^s3://[^/]+/.+$"
SHA256 = r"^[0-9a-f]{64}$"

PATTERN_RULES = {
    DNS_LABEL: "must be a DNS label: lower-case letters, digits and -, at most 63",
    SERVED_NAME: "must be a model name: letters, digits and . _ : / -, at most 253",
    S3_URI: "must be s3://BUCKET/KEY",
    SHA256: "must be a sha256 in lower-case hex",
}
"""Each pattern in words, for people who do not read patterns."""

DnsLabel = Annotated[str, Field(pattern=DNS_LABEL)]
ServedName = Annotated[str, Field(pattern=SERVED_NAME)]
NonEmpty = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1, le=2**31 - 1)]
Bytes = Annotated[int, Field(ge=1, le=2**63 - 1)]
Milliseconds = Annotated[float, Field(ge=0, le=60_000)]  # a minute: no step takes longer
Microseconds = Annotated[float, Field(ge=0, le=60_000_000)]


class Document(BaseModel):
    """A part of the resource: strict as the API server is, and never changed once read."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


def broken_rule(rule: str, *, at: str = "") -> PydanticCustomError:
    """Return the error of a rule that spans several fields.

    Args:
        rule: What is expected, in words.
        at: Path of the offending field, below the document whose validator raises.
    """
    return PydanticCustomError("broken_rule", "{rule}", {"rule": rule, "at": at})
